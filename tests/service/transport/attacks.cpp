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

CAF_TEST(many frames and connections harm nobody) {
  for (const auto& one : large_attacks())
    withstands(one, target, server, good);
}

CAF_TEST(memory stays flat while connections come and go) {
  auto all = large_attacks();
  const auto& many = all.at(8);
  withstands(many, target, server, good);
  withstands(many, target, server, good);
  auto before = server.memory_kib();
  for (int i = 0; i < 5; ++i)
    withstands(many, target, server, good);
  CAF_CHECK_LESS(server.memory_kib(), before + 2048);
}

CAF_TEST_FIXTURE_SCOPE_END()
