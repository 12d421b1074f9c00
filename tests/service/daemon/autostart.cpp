// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/daemon/autostart.hpp"

#include "crosvisor/io/descriptor_set.hpp"
#include "crosvisor/messages/register_types.hpp"
#include "crosvisor/messages/type_ids.hpp"
#include "crosvisor/service/door/door_notes.hpp"
#include "crosvisor/service/service.hpp"
#include "crosvisor/tests/fakes/fake_backend.hpp"
#include "crosvisor/tests/io/temp_dir.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/send.hpp>
#include <caf/test/dsl.hpp>

#include <sys/stat.h>

#undef CAF_SUITE
#define CAF_SUITE service.daemon.autostart

using namespace crosvisor;
using namespace crosvisor::tests;

namespace {

struct system_config : caf::actor_system_config {
  system_config() {
    register_types(*this);
    set("scheduler.policy", caf::atom("sharing"));
    set("scheduler.max-threads", std::size_t{2});
  }
};

/// A whole service over fakes, on real threads, since what is tested waits for its answers.
struct fixture {
  fixture() {
    host.host.memory_mib = 1024;
    host.host.vmms = {{vmm_kind::qemu, "/usr/bin/qemu", "QEMU 7.2", {true, ""}, {}}};
    host.launcher = std::make_shared<fake_launcher>();
    host.cids = std::make_shared<fake_claimer>();
    host.last_cid = std::make_shared<fake_cid_store>();
    service = spawn_service(system, host, {});
    dir.write("vmlinux", "kernel", 0600);
  }

  ~fixture() { caf::anon_send_exit(service, caf::exit_reason::user_shutdown); }

  std::string write(const std::string& name, const std::string& more = "", mode_t mode = 0600) {
    dir.write(name, "{\"kernel\": \"vmlinux\", \"memory_mib\": 64" + more + "}", mode);
    auto path = dir / name;
    ::chmod(path.c_str(), mode);
    return path;
  }

  std::vector<adopted_vm> create(const std::vector<autostart_vm>& wanted) {
    return create_autostart_vms(system, service, wanted, there);
  }

  temp_dir dir;
  io::backend host;
  std::vector<adopted_vm> there;
  system_config config;
  caf::actor_system system{config};
  service_actor service;
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(autostart_tests, fixture)

CAF_TEST(they are created in order and held) {
  auto made = create({{write("a.json", ", \"name\": \"one\""), "", {}, {}},
                      {write("b.json"), "two", 1000u, restart_policy::always}});
  CAF_REQUIRE_EQUAL(made.size(), 2u);
  CAF_CHECK_EQUAL(made[0].info.name, "one");
  CAF_CHECK_EQUAL(made[0].info.owner.uid, ::geteuid());
  CAF_CHECK_EQUAL(made[0].info.owner.kind, caller_kind::socket);
  CAF_CHECK_EQUAL(made[1].info.name, "two");
  CAF_CHECK_EQUAL(made[1].info.owner.uid, 1000u);
  CAF_CHECK_LESS(made[0].info.cid, made[1].info.cid);
  CAF_CHECK(door::decode_references(made[0].notes)->held);
}

CAF_TEST(one that is there already is left out) {
  adopted_vm one;
  one.info.name = "one";
  one.info.state = vm_state::started;
  there.push_back(one);
  one.info.name = "two";
  one.info.state = vm_state::dead;
  there.push_back(one);
  auto made = create({{write("a.json", ", \"name\": \"one\""), "", {}, {}},
                      {dir / "missing.json", "one", {}, {}},
                      {write("b.json"), "two", {}, {}}});
  CAF_REQUIRE_EQUAL(made.size(), 1u);
  CAF_CHECK_EQUAL(made[0].info.name, "two");
}

CAF_TEST(one that fails does not keep the others) {
  auto made = create({{dir / "missing.json", "one", {}, {}},
                      {write("a.json", ", \"kernel_typo\": 1"), "two", {}, {}},
                      {write("b.json"), "", {}, {}}, // No name.
                      {write("c.json"), "three", {}, {}},
                      {write("d.json"), "three", {}, {}}}); // Its name is taken.
  CAF_REQUIRE_EQUAL(made.size(), 1u);
  CAF_CHECK_EQUAL(made[0].info.name, "three");
}

CAF_TEST(a configuration that others can write is refused) {
  CAF_CHECK(
    create({{write("a.json", "", 0620), "one", {}, {}}, {write("b.json", "", 0602), "two", {}, {}}})
      .empty());
}

CAF_TEST_FIXTURE_SCOPE_END()
