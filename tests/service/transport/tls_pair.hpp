// SPDX-License-Identifier: Apache-2.0
// Two TLS sessions at the ends of one socket pair, in one thread.
#pragma once

#include "crosvisor/io/unique_fd.hpp"
#include "crosvisor/service/transport/tls_session.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

namespace crosvisor::tests {

using transport::tls_identity;
using transport::tls_session;
using transport::tls_step;

/// Non-blocking; with `bytes` of buffer in each direction, or as few as the kernel allows.
struct socket_pair {
  explicit socket_pair(int bytes = 0) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0)
      throw std::runtime_error{"socketpair"};
    a.reset(ends[0]);
    b.reset(ends[1]);
    for (auto end : ends)
      if (bytes > 0)
        ::setsockopt(end, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
  }

  io::unique_fd a;
  io::unique_fd b;
};

inline std::unique_ptr<tls_session> need_session(io::result<std::unique_ptr<tls_session>> made) {
  if (!made)
    throw std::runtime_error{made.why().what};
  return std::move(*made);
}

/// A server at `a` and a client at `b`.
struct tls_pair {
  tls_pair(const tls_identity& server_identity, const tls_identity& client_identity,
           const std::string& host = "localhost", int bytes = 0)
      : sockets(bytes),
        server(need_session(tls_session::accept(server_identity, sockets.a.get()))),
        client(need_session(tls_session::connect(client_identity, sockets.b.get(), host))) {}

  /// Until neither has anything to do. @returns whether both are established.
  bool handshake() {
    for (int i = 0; i < 10000; ++i) {
      auto c = client->handshake();
      auto s = server->handshake();
      if (c == tls_step::failed || s == tls_step::failed)
        break;
      if (c == tls_step::done && s == tls_step::done && !client->blocked() && !server->blocked())
        return true;
      client->flush();
      server->flush();
    }
    client->handshake();
    server->handshake();
    return false;
  }

  /// What the client has to say in the end: it learns of a refusal when it reads.
  std::string client_word() {
    char byte;
    std::size_t got = 0;
    if (client->established())
      client->read(got, &byte, 1);
    return client->why();
  }

  socket_pair sockets;
  std::unique_ptr<tls_session> server;
  std::unique_ptr<tls_session> client;
};

} // namespace crosvisor::tests
