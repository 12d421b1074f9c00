// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/transport/transport.hpp"
#include "crosvisor/tests/io/temp_dir.hpp"
#include "crosvisor/tests/service/transport/live_systems.hpp"
#include "crosvisor/tests/service/transport/raw_peer.hpp"
#include "crosvisor/tests/service/transport/server_process.hpp"

#include <caf/test/dsl.hpp>

#include <sys/socket.h>

#include <cerrno>

#undef CAF_SUITE
#define CAF_SUITE service.transport.unix_errors

using namespace crosvisor;
using namespace crosvisor::tests;
using namespace crosvisor::transport;
using namespace std::chrono_literals;

namespace {

constexpr std::chrono::milliseconds bound = patience;

struct fixture {
  temp_dir dir;
  std::string path = dir / "door.sock";

  raw_peer raw() const { return raw_peer{raw_unix(path)()}; }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(unix_errors_tests, fixture)

CAF_TEST(errors of clients name the socket) {
  client_system client;
  auto none = connect_unix(client.system(), dir / "none", bound);
  CAF_CHECK_EQUAL(none.why().what,
                  "no crosvisord at " + (dir / "none") + ": No such file or directory");
  { auto closed = listen_at(path); }
  auto refused = connect_unix(client.system(), path, bound);
  CAF_CHECK_EQUAL(refused.why().what, "no crosvisord at " + path + ": Connection refused");
  CAF_CHECK_EQUAL(refused.why().code, ECONNREFUSED);
  auto too_long = connect_unix(client.system(), std::string(200, 'x'), bound);
  CAF_CHECK_EQUAL(too_long.why().code, 0);
  CAF_CHECK(too_long.why().what.find("a path has 1 to 107 bytes") != std::string::npos);
}

CAF_TEST(what is no service is told from one) {
  auto listening = listen_at(path);
  client_system client;
  auto play = [&](const std::string& words, std::chrono::milliseconds within) {
    std::thread player{[&] {
      io::unique_fd peer{::accept4(listening.get(), nullptr, nullptr, SOCK_CLOEXEC)};
      ::send(peer.get(), words.data(), words.size(), MSG_NOSIGNAL);
      // It stays until the client gives up: one that went would be what the client complains of.
      char byte = 0;
      while (::recv(peer.get(), &byte, 1, 0) > 0) {
      }
    }};
    auto door = connect_unix(client.system(), path, within);
    player.join();
    return door ? "" : door.why().what;
  };
  CAF_CHECK_EQUAL(play("", 300ms), path + ": does not answer");
  CAF_CHECK_EQUAL(play(std::string(100, 'x'), bound),
                  path + ": what answers is no crosvisord: a header that is none");
}

CAF_TEST(a full queue is not waited for forever) {
  auto listening = listen_at(path, 0);
  auto waiting = raw();
  client_system client;
  auto start = std::chrono::steady_clock::now();
  auto door = connect_unix(client.system(), path, 200ms);
  CAF_REQUIRE(!door);
  CAF_CHECK_EQUAL(door.why().what, path + ": does not accept connections");
  CAF_CHECK(std::chrono::steady_clock::now() - start < patience);
}

CAF_TEST_FIXTURE_SCOPE_END()
