// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/tests/io/temp_dir.hpp"
#include "crosvisor/tests/service/transport/basp_attacks.hpp"
#include "crosvisor/tests/service/transport/basp_bytes.hpp"

#include <caf/test/dsl.hpp>

#include <sys/wait.h>

#undef CAF_SUITE
#define CAF_SUITE service.transport.attacks

using namespace crosvisor;
using namespace crosvisor::tests;

namespace {

struct fixture {
  temp_dir dir;
  std::string path = dir / "door.sock";
  server_process server{program_folder() + "/crosvisor-basp-server", listen_at(path)};
  attack_target target{raw_unix(path), true};
  raw_peer good{target.connect()};

  fixture() { CAF_REQUIRE(good.greet(basp::own_node(251))); }

  void run(const std::string& name) {
    auto found = false;
    for (const auto& one : large_attacks())
      if (one.name == name) {
        found = true;
        withstands(one, target, server, good);
      }
    CAF_CHECK(found);
  }

  /// After all of it, it ends in order.
  ~fixture() {
    auto status = server.stop();
    CAF_CHECK(WIFEXITED(status));
    CAF_CHECK_EQUAL(WEXITSTATUS(status), 0);
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(attack_tests, fixture)

CAF_TEST(a few frames that no client sends harm nobody) {
  for (const auto& one : small_attacks())
    withstands(one, target, server, good);
}

CAF_TEST(payloads of gigabytes are not believed) {
  run("eight payloads of 1 GiB");
}

CAF_TEST(messages that are not whole are bounded) {
  run("64 messages that are not whole");
}

CAF_TEST(actors that are named are bounded) {
  run("messages of 20000 actors");
}

CAF_TEST(actors that are gone are forgotten) {
  run("messages of 5000 actors that are gone");
}

CAF_TEST(monitors of nothing are not kept) {
  run("100000 monitors of unknown actors");
}

CAF_TEST(answers that nobody reads are bounded) {
  run("300000 requests whose answers nobody reads");
}

CAF_TEST(nothing is relayed) {
  run("a monitor that is relayed to another client");
}

CAF_TEST(half open connections end) {
  run("500 connections without a handshake");
}

CAF_TEST(memory stays flat while connections come and go) {
  run("1000 connections that come and go");
  auto before = server.memory_kib();
  run("10000 connections that come and go");
  CAF_CHECK_LESS(server.memory_kib(), before + 2048);
}

CAF_TEST(who comes as another goes is served) {
  run("4000 clients of which each follows another");
}

CAF_TEST(mutated frames harm nobody) {
  run("20000 mutated frames");
}

CAF_TEST_FIXTURE_SCOPE_END()
