// SPDX-License-Identifier: Apache-2.0
// What the door counts, and tells those who may know.
#include "crosvisor/tests/service/door/fixture.hpp"

#include <algorithm>

#undef CAF_SUITE
#define CAF_SUITE service.door.metrics

using namespace crosvisor;
using namespace crosvisor::tests;
using namespace std::chrono_literals;

namespace {

using families = std::vector<metric_family>;

struct fixture : door_fixture {
  caller alice = user(1000);
  caller carol = user(1002);
  client a = connect(alice);
  client c = connect(carol);

  fixture() {
    grant(alice, {permission::manage, permission::custom});
    grant(carol, {permission::debug});
  }

  std::shared_ptr<outcome<families>> ask_metrics(const client& by) {
    return request<families>(by, caf::get_atom::value, metrics_atom::value);
  }

  /// The value of a sample, of a histogram how many values it has; -1: there is none.
  double value(const std::string& name, const std::string& labels = "") {
    auto all = ask_metrics(c)->get();
    for (const auto& family : all) {
      if (family.name != name)
        continue;
      for (const auto& sample : family.samples) {
        std::string words;
        for (const auto& label : sample.labels)
          words += (words.empty() ? "" : ",") + label.name + '=' + label.value;
        if (words == labels)
          return family.kind == metric_kind::histogram ? static_cast<double>(sample.count)
                                                       : sample.value;
      }
    }
    return -1;
  }

  vm_cid start_vm() {
    auto cid = make_vm(a);
    run_vm(a, cid);
    return cid;
  }

  void die(death_reason reason) {
    launcher->launched.back()->callbacks.on_exit({exit_kind::code, 0, reason, ""});
    settle();
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(door_metrics_tests, fixture)

CAF_TEST(starts and deaths are counted) {
  CAF_CHECK_EQUAL(value("crosvisor_vm_starts_total"), 0.0);
  CAF_CHECK_EQUAL(value("crosvisor_vm_deaths_total", "reason=crash"), 0.0);
  start_vm();
  CAF_CHECK_EQUAL(value("crosvisor_vm_starts_total"), 1.0);
  CAF_CHECK_EQUAL(value("crosvisor_vms", "state=started"), 1.0);
  CAF_CHECK_EQUAL(value("crosvisor_vms", "state=dead"), 0.0);
  CAF_CHECK_EQUAL(value("crosvisor_cids", "use=taken"), 1.0);
  CAF_CHECK_EQUAL(value("crosvisor_vm_started_seconds", "vmm=qemu,accel=tcg"), 1.0);
  CAF_CHECK_EQUAL(value("crosvisor_events_total", "event=started"), 1.0);
  die(death_reason::crash);
  CAF_CHECK_EQUAL(value("crosvisor_vm_deaths_total", "reason=crash"), 1.0);
  CAF_CHECK_EQUAL(value("crosvisor_vms", "state=started"), 0.0);
  CAF_CHECK_EQUAL(value("crosvisor_vms", "state=dead"), 1.0);
}

CAF_TEST(requests and those that are denied are counted by their names) {
  CAF_CHECK_EQUAL(refusal(request<std::vector<vm_info>>(a, list_atom::value)),
                  "denied: uid 1000 lacks \"debug\"");
  CAF_CHECK_EQUAL(value("crosvisor_requests_denied_total", "request=list"), 1.0);
  CAF_CHECK_EQUAL(value("crosvisor_requests_total", "request=list"), 1.0);
  CAF_CHECK_EQUAL(value("crosvisor_requests_denied_total", "request=get_metrics"), 0.0);
  CAF_CHECK_EQUAL(refusal(ask_metrics(a)), "denied: uid 1000 lacks \"debug\"");
  CAF_CHECK_EQUAL(value("crosvisor_requests_denied_total", "request=get_metrics"), 1.0);
}

CAF_TEST(bounds are there with what is used) {
  start_vm();
  CAF_CHECK_EQUAL(value("crosvisor_limit_used", "limit=vms"), 1.0);
  CAF_CHECK_EQUAL(value("crosvisor_limit_max", "limit=vms"), 4096.0);
  CAF_CHECK_EQUAL(value("crosvisor_limit_refusals_total", "limit=vms"), 0.0);
  CAF_CHECK(value("crosvisor_process_resident_memory_bytes") > 0);
}

CAF_TEST(guests and their connections are counted by kind) {
  auto cid = start_vm();
  auto connect_guest = [&](std::uint32_t port) {
    listener->callbacks.on_connection({cid, port, std::make_shared<io::unique_fd>()});
    settle();
  };
  connect_guest(payload_output_port);
  connect_guest(payload_status_port);
  connect_guest(4711);
  CAF_CHECK_EQUAL(value("crosvisor_guest_connections_total", "port=output,result=taken"), 1.0);
  CAF_CHECK_EQUAL(value("crosvisor_guest_connections_total", "port=status,result=taken"), 1.0);
  CAF_CHECK_EQUAL(value("crosvisor_guest_connections_total", "port=other,result=closed"), 1.0);
  CAF_CHECK_EQUAL(value("crosvisor_guest_connections_total", "port=other,result=taken"), 0.0);
}

CAF_TEST(names are in order and each has one kind of help) {
  auto all = ask_metrics(c)->get();
  CAF_CHECK(all.size() > 15);
  for (std::size_t i = 0; i < all.size(); ++i) {
    CAF_CHECK(all[i].name.starts_with("crosvisor_"));
    CAF_CHECK(all[i].help.ends_with("."));
    CAF_CHECK(i == 0 || all[i - 1].name < all[i].name);
    CAF_CHECK_EQUAL(all[i].kind == metric_kind::counter, all[i].name.ends_with("_total"));
  }
}

CAF_TEST_FIXTURE_SCOPE_END()
