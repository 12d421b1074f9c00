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

CAF_TEST(a few frames that no client sends harm nobody) {
  for (const auto& one : small_attacks())
    withstands(one, target, server, good);
}

CAF_TEST(many frames and connections harm nobody) {
  for (const auto& one : large_attacks())
    // What it shows is shown by a tenth of it; most of its time would be TLS handshakes.
    if (one.name.compare(0, 6, "10000 ") != 0)
      withstands(one, target, server, good);
}

CAF_TEST_FIXTURE_SCOPE_END()
