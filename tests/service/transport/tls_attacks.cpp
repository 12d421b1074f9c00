// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/tests/io/temp_dir.hpp"
#include "crosvisor/tests/service/transport/basp_attacks.hpp"
#include "crosvisor/tests/service/transport/basp_bytes.hpp"
#include "crosvisor/tests/service/transport/raw_tls.hpp"
#include "crosvisor/tests/service/transport/test_certificates.hpp"
#include "crosvisor/tests/service/transport/tls_door.hpp"

#include <caf/test/dsl.hpp>

#include <sys/wait.h>

#undef CAF_SUITE
#define CAF_SUITE service.transport.tls_attacks

using namespace crosvisor;
using namespace crosvisor::tests;

namespace {

struct fixture {
  temp_dir dir;
  std::shared_ptr<const transport::tls_identity> identity = make_identity();
  loopback where;
  server_process server{program_folder() + "/crosvisor-basp-server", where.socket, {dir.path()}};
  attack_target target{raw_tls(where.port, identity), false};
  raw_peer good{target.connect()};

  fixture() { CAF_REQUIRE(good.greet(basp::own_node(251))); }

  /// A quarter of the small ones, each of which begins with handshakes: CAF's tests have a bound.
  void run_few(std::size_t quarter) {
    auto all = small_attacks();
    for (auto i = quarter; i < all.size(); i += 4)
      withstands(all[i], target, server, good);
  }

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

  std::shared_ptr<const transport::tls_identity> make_identity() const {
    write_test_certificates(dir.path(), {});
    auto loaded =
      transport::load_tls_identity({dir / "client.pem", dir / "client.key", dir / "ca.pem"});
    if (!loaded)
      CAF_FAIL(loaded.why().what);
    return *loaded;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(tls_attack_tests, fixture)

CAF_TEST(the first quarter of what no client sends harms nobody) {
  run_few(0);
}

CAF_TEST(the second quarter of what no client sends harms nobody) {
  run_few(1);
}

CAF_TEST(the third quarter of what no client sends harms nobody) {
  run_few(2);
}

CAF_TEST(the fourth quarter of what no client sends harms nobody) {
  run_few(3);
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
  // Not ten thousand, as over a Unix socket: the time goes into the attacker's own handshakes.
  run("1000 connections that come and go");
}

CAF_TEST(mutated frames harm nobody) {
  run("20000 mutated frames");
}

CAF_TEST_FIXTURE_SCOPE_END()
