// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/bench/tls_rival.hpp"

#include "crosvisor/bench/measure.hpp"
#include "crosvisor/io/unique_fd.hpp"
#include "crosvisor/service/transport/tls_context.hpp"
#include "crosvisor/tests/service/transport/tls_door.hpp"

#include <openssl/ssl.h>

#include <algorithm>
#include <thread>
#include <vector>

namespace crosvisor::bench {

namespace {

using session_ptr = transport::openssl_ptr<SSL>;

constexpr std::size_t piece_bytes = 64u << 10;

void need_all(bool held) {
  if (!held)
    throw std::runtime_error("a TLS connection failed");
}

session_ptr make_session(const transport::tls_identity& identity, int socket) {
  session_ptr made{SSL_new(identity.context())};
  need_all(made && SSL_set_fd(made.get(), socket) == 1);
  return made;
}

bool send_all(SSL* to, std::uint64_t bytes) {
  std::vector<char> piece(piece_bytes, 'x');
  for (std::uint64_t sent = 0; sent < bytes;) {
    auto next = std::min<std::uint64_t>(piece.size(), bytes - sent);
    auto n = SSL_write(to, piece.data(), static_cast<int>(next));
    if (n <= 0)
      return false;
    sent += static_cast<std::uint64_t>(n);
  }
  char receipt;
  return SSL_read(to, &receipt, 1) == 1;
}

bool take_all(SSL* from, std::uint64_t bytes) {
  std::vector<char> piece(piece_bytes);
  for (std::uint64_t taken = 0; taken < bytes;) {
    auto n = SSL_read(from, piece.data(), static_cast<int>(piece.size()));
    if (n <= 0)
      return false;
    taken += static_cast<std::uint64_t>(n);
  }
  return SSL_write(from, "x", 1) == 1;
}

} // namespace

double tls_transfer(const transport::tls_identity& server, const transport::tls_identity& client,
                    std::uint64_t bytes) {
  tests::loopback where;
  auto here = tests::raw_client(where.port);
  io::unique_fd there{::accept(where.socket.get(), nullptr, nullptr)};
  auto sender = make_session(server, there.get());
  auto taker = make_session(client, here.get());
  auto sent = false;
  std::int64_t began = 0;
  std::thread far{[&] {
    sent = SSL_accept(sender.get()) == 1;
    began = now_ns();
    sent = sent && send_all(sender.get(), bytes);
  }};
  auto taken = SSL_connect(taker.get()) == 1 && take_all(taker.get(), bytes);
  far.join();
  need_all(sent && taken);
  return seconds(now_ns() - began);
}

} // namespace crosvisor::bench
