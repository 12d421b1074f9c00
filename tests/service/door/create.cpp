// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/door/doorkeeper.hpp"
#include "crosvisor/service/door/request_files.hpp"
#include "crosvisor/tests/service/door/fixture.hpp"

#undef CAF_SUITE
#define CAF_SUITE service.door.create

using namespace crosvisor;
using namespace crosvisor::tests;
using namespace std::chrono_literals;

namespace {

struct fixture : door_fixture {
  caller alice = user(1000);
  caller bob = user(1001);
  client a = connect(alice);

  fixture() {
    grant(alice, {permission::manage, permission::custom});
    grant(bob, {permission::manage, permission::custom});
  }

  std::string create_with(const client& by, const ticket_list& list,
                          const vm_config& config = small_vm()) {
    return refusal(request<vm_info>(by, create_atom::value, config, list));
  }

  std::size_t vms() { return ask<std::vector<vm_info>>(service, list_atom::value)->get().size(); }
};

constexpr char wrong_ticket[] =
  "no_such_ticket: tickets: one was never given to this process, or was used, or is too old";

} // namespace

CAF_TEST_FIXTURE_SCOPE(create_tests, fixture)

CAF_TEST(a vm is its creator s) {
  auto made = create(a, "demo")->get();
  CAF_CHECK_EQUAL(made.name, "demo");
  CAF_CHECK_EQUAL(made.state, vm_state::not_started);
  CAF_CHECK_EQUAL(to_string(made.owner), "uid 1000");
  CAF_CHECK_EQUAL(made.owner.pid, 100);
  CAF_CHECK_EQUAL(tickets->size(), 0u);
}

CAF_TEST(the descriptors of the tickets go to the vm) {
  watched_fd pipe;
  auto number = pipe.theirs.get();
  ticket_list list{{deposit(a, std::move(pipe.theirs))}};
  auto made = request<vm_info>(a, create_atom::value, small_vm(), list)->get();
  request<vm_info>(a, start_atom::value, made.cid);
  CAF_CHECK(!pipe.closed());
  CAF_CHECK_EQUAL(launcher->launched.at(0)->request.files->get(0), number);
}

CAF_TEST(a wrong ticket creates nothing and closes the others) {
  watched_fd pipe;
  ticket_list list{{deposit(a, std::move(pipe.theirs)), std::string(ticket_digits, 'f')}};
  CAF_CHECK_EQUAL(create_with(a, list), wrong_ticket);
  CAF_CHECK(pipe.closed());
  CAF_CHECK_EQUAL(vms(), 0u);
  CAF_CHECK(claimer->claimed.empty());
}

CAF_TEST(another user s ticket and another process s are not there) {
  auto b = connect(bob);
  auto sibling = connect(user(1000, 101));
  for (const auto& thief : {b, sibling}) {
    watched_fd pipe;
    ticket_list list{{deposit(a, std::move(pipe.theirs))}};
    CAF_CHECK_EQUAL(create_with(thief, list), wrong_ticket);
    // Its owner can still use it.
    CAF_CHECK(!pipe.closed());
    CAF_CHECK_EQUAL(create_with(a, list), "done");
  }
}

CAF_TEST(a ticket is good once) {
  ticket_list list{{deposit(a, some_fd())}};
  CAF_CHECK_EQUAL(create_with(a, list), "done");
  CAF_CHECK_EQUAL(create_with(a, list), wrong_ticket);
  auto once = deposit(a, some_fd());
  CAF_CHECK_EQUAL(create_with(a, {{once, once}}), wrong_ticket);
}

CAF_TEST(a ticket that is too old is not there) {
  ticket_list list{{deposit(a, some_fd())}};
  tickets->expire(list.tickets[0]);
  CAF_CHECK_EQUAL(create_with(a, list), wrong_ticket);
}

CAF_TEST(a ticket of the other direction is not there) {
  auto made = tickets->put(some_fd(), alice, io::ticket_store::direction::to_client);
  CAF_CHECK_EQUAL(create_with(a, {{*made}}), wrong_ticket);
}

CAF_TEST(too many tickets are refused) {
  ticket_list list;
  list.tickets.resize(door::max_tickets_per_request + 1);
  CAF_CHECK_EQUAL(create_with(a, list),
                  "invalid_config: tickets: 4097 given; at most 4096 are allowed");
}

CAF_TEST(somebody on another host has no tickets) {
  grant(subject("CN=alice"), {permission::manage, permission::custom});
  auto remote = connect(subject("CN=alice"));
  CAF_CHECK_EQUAL(create_with(remote, {{deposit(a, some_fd())}}),
                  "unsupported: descriptors can't be passed to or from another host");
  CAF_CHECK_EQUAL(create_with(remote, {}),
                  "invalid_config: kernel \"vmlinux\": is descriptor 0, counted from 0, and 0 came "
                  "with the request");
}

CAF_TEST(a door without tickets takes none) {
  options.tickets = nullptr;
  open();
  CAF_CHECK_EQUAL(create_with(a, {{deposit(a, some_fd())}}),
                  "unsupported: descriptors can't be passed to or from another host");
}

CAF_TEST(the descriptors of every refused request are closed) {
  grant(user(1002), {permission::manage});
  auto config = small_vm();
  config.memory_mib = 0;
  auto beyond = small_vm();
  beyond.initrd = {"initrd", 1};
  for (const auto& [by, wanted] :
       {std::pair{a, config}, std::pair{a, beyond}, std::pair{connect(user(1002)), small_vm()}}) {
    watched_fd pipe;
    ticket_list list{{deposit(by, std::move(pipe.theirs))}};
    auto said = create_with(by, list, wanted);
    CAF_CHECK_NOT_EQUAL(said, "done");
    CAF_CHECK(pipe.closed());
  }
  CAF_CHECK_EQUAL(vms(), 0u);
}

CAF_TEST(descriptors are closed by whom the options name) {
  auto closed = std::make_shared<std::vector<std::string>>();
  options.close = [closed](const caller& whose, io::descriptor_set files) {
    closed->push_back(to_string(whose) + ' ' + std::to_string(files.size()));
  };
  open();
  auto list = ticket_list{{deposit(a, some_fd()), std::string(ticket_digits, '0')}};
  create_with(a, list);
  CAF_REQUIRE_EQUAL(closed->size(), 1u);
  CAF_CHECK_EQUAL(closed->at(0), "uid 1000 1");
}

CAF_TEST(a file beyond the descriptors is refused before there is a vm) {
  auto config = small_vm();
  config.disks.resize(2);
  config.disks[1].partitions.push_back({"a", {"a.img", 7}, image_format::raw, false, ""});
  CAF_CHECK_EQUAL(create_with(a, {{deposit(a, some_fd())}}, config),
                  "invalid_config: disks[1].partitions[0] \"a.img\": is descriptor 7, counted from "
                  "0, and 1 came with the request");
  CAF_CHECK(claimer->claimed.empty());
}

CAF_TEST(every file of a configuration is looked at) {
  using door::find_missing_file;
  auto missing = [](auto change) {
    vm_config config;
    config.kernel = {"k", 0};
    change(config);
    auto problem = find_missing_file(config, 1);
    return problem ? problem->substr(0, problem->find(' ')) : "none";
  };
  file_ref far{"far", 1};
  CAF_CHECK_EQUAL(missing([](vm_config&) {}), "none");
  CAF_CHECK_EQUAL(missing([&](vm_config& c) { c.kernel = far; }), "kernel");
  CAF_CHECK_EQUAL(missing([&](vm_config& c) { c.initrd = far; }), "initrd");
  CAF_CHECK_EQUAL(missing([&](vm_config& c) { c.bootloader = far; }), "bootloader");
  CAF_CHECK_EQUAL(missing([&](vm_config& c) { c.console = far; }), "console");
  CAF_CHECK_EQUAL(missing([&](vm_config& c) { c.log = far; }), "log");
  CAF_CHECK_EQUAL(missing([&](vm_config& c) { c.disks.push_back({far}); }), "disks[0]");
  CAF_CHECK_EQUAL(missing([&](vm_config& c) { c.app.apk = far; }), "app.apk");
  CAF_CHECK_EQUAL(missing([&](vm_config& c) { c.app.idsig = far; }), "app.idsig");
  CAF_CHECK_EQUAL(missing([&](vm_config& c) { c.app.instance = far; }), "app.instance");
  CAF_CHECK_EQUAL(missing([&](vm_config& c) { c.app.encrypted_storage = far; }),
                  "app.encrypted_storage");
  CAF_CHECK_EQUAL(missing([&](vm_config& c) {
                    c.app.extra_apks.push_back({{"a", 0}, far});
                  }),
                  "app.extra_apks[0].idsig");
  CAF_CHECK_EQUAL(missing([&](vm_config& c) {
                    c.app.extra_apks.push_back({far, {}});
                  }),
                  "app.extra_apks[0].apk");
  CAF_CHECK(find_missing_file(partition_spec{partition_type::raw, 1, far}, 1).has_value());
  CAF_CHECK(find_missing_file(idsig_spec{false, {"a", 0}, far}, 1).has_value());
  CAF_CHECK(find_missing_file(idsig_spec{false, far, {"a", 0}}, 1).has_value());
  CAF_CHECK(!find_missing_file(idsig_spec{false, {"a", 0}, far}, 2));
}

CAF_TEST(an app runs nothing of ones own unless it brings it) {
  using door::runs_ones_own;
  vm_config app;
  app.app.apk = {"a.apk", 0};
  CAF_CHECK(!runs_ones_own(app));
  CAF_CHECK(runs_ones_own(small_vm()));
  CAF_CHECK(runs_ones_own(vm_config{}));
  auto with = [&](auto change) {
    auto config = app;
    change(config);
    return runs_ones_own(config);
  };
  CAF_CHECK(with([](vm_config& c) { c.params = "init=/bin/sh"; }));
  CAF_CHECK(with([](vm_config& c) { c.kernel = {"k", 0}; }));
  CAF_CHECK(with([](vm_config& c) { c.initrd = {"k", 0}; }));
  CAF_CHECK(with([](vm_config& c) { c.bootloader = {"k", 0}; }));
  CAF_CHECK(with([](vm_config& c) { c.disks.resize(1); }));
  CAF_CHECK(!with([](vm_config& c) { c.app.debug = debug_level::full; }));
  CAF_CHECK(with([](vm_config& c) { c.devices.hugepages = true; }));
  CAF_CHECK(with([](vm_config& c) { c.devices.gdb_port = 2159; }));
  CAF_CHECK(with([](vm_config& c) { c.devices.network.tap = {"tap0", 0}; }));
  CAF_CHECK(with([](vm_config& c) { c.devices.shared_directories.resize(1); }));
  CAF_CHECK(with([](vm_config& c) { c.devices.pstore = {"p", 0}; }));
  CAF_CHECK(!with([](vm_config& c) { c.devices.topology = {1, 2, 2}; }));
  CAF_CHECK(!with([](vm_config& c) { c.devices.rng = false; }));
  CAF_CHECK(!with([](vm_config& c) { c.devices.crash_files = 64; }));
}

CAF_TEST(one principal s vms are bounded until they are forgotten) {
  options.bounds.vms_per_user = 2;
  open();
  auto first = make_vm(a);
  make_vm(connect(user(1000, 200)));
  constexpr char full[] =
    "busy: uid 1000 has 2 VMs, as many as one user may have (limits.vms_per_user)";
  CAF_CHECK_EQUAL(refusal(create(a)), full);
  CAF_CHECK_EQUAL(refusal(create(connect(bob))), "done");
  end_vm(run_vm(a, first));
  CAF_CHECK_EQUAL(refusal(create(a)), full);
  pass(1h);
  CAF_CHECK_EQUAL(refusal(create(a)), "done");
}

CAF_TEST(a failed creation is not counted) {
  options.bounds.vms_per_user = 1;
  open();
  for (int i = 0; i < 3; ++i) {
    auto config = small_vm();
    config.protected_vm = true;
    CAF_CHECK_EQUAL(create_with(a, {{deposit(a, some_fd())}}, config),
                    "unsupported: protected: this host can't: ");
  }
  CAF_CHECK_EQUAL(refusal(create(a)), "done");
}

CAF_TEST(who has a name is told only to those who may know) {
  auto cid = std::to_string(make_vm(a, "demo"));
  CAF_CHECK_EQUAL(refusal(create(connect(bob), "demo")),
                  "name_taken: name: a living VM is called \"demo\" already");
  CAF_CHECK_EQUAL(refusal(create(a, "demo")),
                  "name_taken: name: VM " + cid + " is called \"demo\" already");
}

CAF_TEST(a service that is gone takes the door with it) {
  auto gone = std::make_shared<bool>(false);
  door->attach_functor([gone] { *gone = true; });
  caf::anon_send_exit(service, caf::exit_reason::user_shutdown);
  settle();
  CAF_CHECK(*gone);
}

CAF_TEST_FIXTURE_SCOPE_END()
