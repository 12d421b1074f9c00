// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/keeper/keeper_launcher.hpp"

#include "crosvisor/io/keeper/keeper_record.hpp"
#include "crosvisor/tests/io/keeper/launcher_fixture.hpp"
#include "crosvisor/tests/io/test_cgroup.hpp"

#include <sys/un.h>

#undef CAF_SUITE
#define CAF_SUITE io.keeper.launcher

using namespace crosvisor;
using namespace crosvisor::io;
using namespace crosvisor::tests;
using namespace std::chrono_literals;

CAF_TEST_FIXTURE_SCOPE(keeper_launcher_tests, launcher_fixture)

CAF_TEST(a VM runs with a keeper and nothing is left of both) {
  open();
  auto asked = request("play=console:hello");
  auto files = asked.files;
  auto vm = launch(std::move(asked));
  CAF_CHECK_EQUAL(told(1), "up");
  CAF_CHECK_EQUAL(files->size(), 0u);
  CAF_CHECK_EQUAL(names_in(folder), ".lock 2048 2048.socket");
  CAF_CHECK_EQUAL(ask(*vm, vmm_request::suspend), "done");
  CAF_CHECK_EQUAL(ask(*vm, vmm_request::resume), "done");
  mailbox<std::string> sizes;
  vm->set_balloon(1u << 20, [&](auto) {});
  vm->get_balloon([&](auto got) { sizes.put(got ? std::to_string(got->size_bytes) : "none"); });
  CAF_CHECK(sizes.wait(1) == (std::vector<std::string>{"1048576"}));
  mailbox<std::string> refusals;
  vm->connect_vsock(7, 100ms, [&](auto got) { refusals.put(got ? "none" : got.why().what); });
  CAF_CHECK(refusals.wait(1) == (std::vector<std::string>{"the VM has no vsock"}));
  CAF_CHECK_EQUAL(ask(*vm, vmm_request::power_button), "done");
  CAF_CHECK_EQUAL(end(), "shutdown, exit code 0: the guest powered off");
  release(vm);
  check_nothing_left();
  CAF_CHECK_EQUAL(read_file(state + "/logs/2048-demo/console.log"), "hello\n");
  CAF_CHECK_EQUAL(ask(*vm, vmm_request::resume), "the VM's keeper is not there");
  CAF_CHECK_EQUAL(told(2), "up exit");
}

CAF_TEST(what a VMM refuses is refused in its words) {
  open();
  auto vm = launch(request("play=refuse-quit"));
  CAF_CHECK_EQUAL(told(1), "up");
  CAF_CHECK_EQUAL(ask(*vm, vmm_request::quit), "QEMU: not now");
}

CAF_TEST(whoever lets go of a VM kills it) {
  open();
  auto vm = launch(request());
  auto pid = vmm_pid();
  vm = nullptr;
  CAF_CHECK_EQUAL(end(), "killed, signal 9: QEMU was ended by signal 9 (Killed)");
  CAF_CHECK(ends(pid));
  // One that is still being launched, and one that nobody lets go of before the launcher.
  launch(request("play=up", 2049));
  auto held = launch(request("play=up", 2050));
  service.reset();
  check_nothing_left();
}

CAF_TEST(a VM that was left is found and adopted and tells its life again) {
  open();
  auto asked = request();
  asked.notes = {{"owner", "7"}};
  auto vm = launch(std::move(asked));
  auto pid = vmm_pid();
  auto keeper = keeper_pid();
  vm->note("stopping", "1");
  CAF_CHECK_EQUAL(ask(*vm, vmm_request::suspend), "done"); // After the note.
  leave(vm);
  open();
  CAF_REQUIRE_EQUAL(service->kept.size(), 1u);
  const auto& kept = service->kept.front();
  CAF_CHECK_EQUAL(kept.cid, cid);
  CAF_CHECK_EQUAL(kept.config.name, "demo");
  CAF_CHECK_EQUAL(kept.config.params, "play=up");
  CAF_CHECK(kept.choice.vmm == vmm_kind::qemu);
  CAF_CHECK(kept.notes == (vm_notes{{"owner", "7"}, {"stopping", "1"}}));
  CAF_CHECK(!kept.vsock);
  vm = adopt();
  CAF_REQUIRE(vm);
  CAF_CHECK(!adopt());
  CAF_CHECK_EQUAL(vmm_pid(), pid);
  CAF_CHECK_EQUAL(ask(*vm, vmm_request::resume), "done");
  vm->kill();
  CAF_CHECK_EQUAL(end(), "killed, signal 9: QEMU was ended by signal 9 (Killed)");
  release(vm);
  CAF_CHECK_EQUAL(reap(keeper), "exit code 0");
  check_nothing_left();
}

CAF_TEST(a killed keeper takes its VM with it and is the reason) {
  open();
  auto vm = launch(request());
  auto pid = vmm_pid();
  ::kill(keeper_pid(), SIGKILL);
  CAF_CHECK_EQUAL(end(), "infrastructure_error, lost process: its keeper was killed (signal 9)");
  CAF_CHECK(ends(pid));
  CAF_CHECK_EQUAL(names_in(folder), ".lock");
  // Its end is on disk until somebody has said that it is known.
  CAF_CHECK_EQUAL(names_in(state + "/keepers/2048"), "exit launch notes");
  release(vm);
  check_nothing_left();
}

CAF_TEST(an adopted keeper that is killed is the reason as well) {
  open();
  auto vm = launch(request());
  told(1);
  auto keeper = keeper_pid();
  leave(vm);
  open();
  vm = adopt();
  told(1);
  ::kill(keeper, SIGKILL);
  CAF_CHECK_EQUAL(end(), "infrastructure_error, lost process: its keeper ended or was killed");
  CAF_CHECK_EQUAL(reap(keeper), "signal 9");
  release(vm);
  check_nothing_left();
}

CAF_TEST(a death while nobody was there is told with its reason) {
  open();
  auto vm = launch(request());
  auto pid = vmm_pid();
  auto keeper = keeper_pid();
  leave(vm);
  ::kill(pid, SIGKILL);
  CAF_CHECK(ends(pid));
  open();
  vm = adopt();
  CAF_CHECK_EQUAL(told(2), "up exit");
  CAF_CHECK_EQUAL(end(), "killed, signal 9: QEMU was ended by signal 9 (Killed)");
  release(vm);
  CAF_CHECK_EQUAL(reap(keeper), "exit code 0");
  check_nothing_left();
}

CAF_TEST(a keeper that died while nobody was there is told of once) {
  open();
  auto vm = launch(request());
  auto pid = vmm_pid();
  auto keeper = keeper_pid();
  leave(vm);
  ::kill(keeper, SIGKILL);
  CAF_CHECK_EQUAL(reap(keeper), "signal 9");
  CAF_CHECK(ends(pid));
  constexpr auto wanted =
    "infrastructure_error, lost process: its keeper ended while no service ran";
  for (auto i = 0; i < 2; ++i) { // The first service that finds it ends before it says so.
    open();
    CAF_CHECK_EQUAL(service->kept.size(), 1u);
    CAF_CHECK_EQUAL(names_in(folder), ".lock");
    vm = adopt();
    CAF_CHECK_EQUAL(end(), wanted);
    if (i == 0)
      leave(vm);
  }
  release(vm);
  check_nothing_left();
  open();
  CAF_CHECK(service->kept.empty());
}

CAF_TEST(what nobody adopts is killed) {
  open();
  auto vm = launch(request());
  auto pid = vmm_pid();
  auto keeper = keeper_pid();
  leave(vm);
  open();
  service.reset();
  CAF_CHECK(ends(pid));
  CAF_CHECK_EQUAL(reap(keeper), "exit code 0");
  check_nothing_left();
}

CAF_TEST(a launch that fails leaves nothing and says why) {
  open();
  auto fails = [&](const std::string& wanted) {
    reports.clear();
    auto vm = launch(request());
    auto all = reports.wait(1);
    CAF_REQUIRE_EQUAL(all.size(), 1u);
    CAF_CHECK_EQUAL(all.front().what, "failed");
    CAF_CHECK(all.front().words.find(wanted) != std::string::npos);
    CAF_MESSAGE(all.front().words);
    check_nothing_left();
    release(vm);
  };
  options.vmms.front().path = "/nowhere/qemu";
  open();
  fails("\"/nowhere/qemu\" can't be executed: No such file or directory");
  options.program = "/nowhere/keeper";
  open();
  fails("the VM's keeper: \"/nowhere/keeper\" can't be executed: No such file or directory");
  options.program = "/bin/false";
  open();
  auto vm = launch(request());
  CAF_CHECK_EQUAL(end(), "infrastructure_error, lost process: its keeper ended (exit code 1)");
  release(vm);
  check_nothing_left();
}

CAF_TEST(a CID is free again at once) {
  open();
  for (auto i = 0; i < 20; ++i) {
    reports.clear();
    auto vm = launch(request());
    CAF_CHECK_EQUAL(told(1), "up");
    vm->kill();
    CAF_CHECK_EQUAL(end(), "killed, signal 9: QEMU was ended by signal 9 (Killed)");
    release(vm);
  }
  check_nothing_left();
}

CAF_TEST(what a life began with comes back after an adoption) {
  constexpr auto count = 70u; // More than two packets have.
  open();
  auto asked = request();
  {
    auto files = std::make_shared<descriptor_set>();
    for (auto i = 0u; i < count; ++i)
      files->add(some_file(std::to_string(i)));
    auto config = asked.config;
    config.params = "as it was";
    asked.origin = std::make_shared<const vm_origin>(vm_origin{config, asked.choice, files});
  }
  auto vm = launch(std::move(asked));
  told(1);
  CAF_CHECK_EQUAL(origin_of(*vm), "the files that it was created with are not kept");
  auto pid = vmm_pid();
  auto keeper = keeper_pid();
  leave(vm);
  for (auto i = 0; i < 2; ++i) { // Also after its end.
    open();
    vm = adopt();
    CAF_CHECK_EQUAL(origin_of(*vm), "as it was, 70 files, 0 to 69");
    if (i == 0)
      leave(vm);
    if (i == 0)
      ::kill(pid, SIGKILL);
  }
  CAF_CHECK_EQUAL(end(), "killed, signal 9: QEMU was ended by signal 9 (Killed)");
  CAF_CHECK_EQUAL(origin_of(*vm), "as it was, 70 files, 0 to 69");
  release(vm);
  CAF_CHECK_EQUAL(reap(keeper), "exit code 0");
  CAF_CHECK_EQUAL(origin_of(*vm), "the VM's keeper is not there");
  check_nothing_left();
}

CAF_TEST(a VM that is never started again has no origin) {
  open();
  auto vm = launch(request());
  told(1);
  auto keeper = keeper_pid();
  leave(vm);
  open();
  vm = adopt();
  CAF_CHECK_EQUAL(origin_of(*vm), "the files that it was created with are not kept");
  vm->kill();
  end();
  release(vm);
  CAF_CHECK_EQUAL(reap(keeper), "exit code 0");
}

CAF_TEST(many are adopted at once) {
  constexpr auto count = 8u;
  open();
  std::vector<std::shared_ptr<vmm_process>> vms;
  for (auto i = 0u; i < count; ++i)
    vms.push_back(launch(request("play=up", cid + i)));
  CAF_CHECK_EQUAL(told(count), "up up up up up up up up");
  auto keepers = child_pids();
  service->launcher->leave();
  vms.clear();
  service.reset();
  reports.clear();
  auto start = std::chrono::steady_clock::now();
  open();
  CAF_CHECK_EQUAL(service->kept.size(), count);
  for (auto i = 0u; i < count; ++i)
    vms.push_back(service->launcher->adopt(cid + i, nullptr, callbacks()));
  CAF_CHECK_EQUAL(reports.wait(count).size(), count);
  auto took = std::chrono::steady_clock::now() - start;
  CAF_MESSAGE(
    "adopted within " << std::chrono::duration_cast<std::chrono::milliseconds>(took).count()
                      << " ms");
  vms.clear();
  service.reset();
  for (auto pid : keepers)
    if (!std::count(before.children.begin(), before.children.end(), pid))
      CAF_CHECK_EQUAL(reap(pid), "exit code 0");
  check_nothing_left();
}

CAF_TEST(a keeper that does not say who it is is left alone) {
  options.hello_bound = 300ms;
  open();
  auto silent = keeper_record::make(state, cid);
  auto liar = keeper_record::make(state, cid + 1);
  CAF_REQUIRE(silent && liar);
  unique_fd listener{::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)};
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  (folder + "/2049.socket").copy(address.sun_path, sizeof address.sun_path - 1);
  CAF_REQUIRE_EQUAL(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address),
                    0);
  CAF_REQUIRE_EQUAL(::listen(listener.get(), 4), 0);
  std::thread says{[&] {
    unique_fd one{::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC)};
    ::send(one.get(), "{\"type\":\"hello\"}", 16, 0);
  }};
  open();
  says.join();
  CAF_CHECK(service->kept.empty());
  CAF_CHECK(service->unusable == (std::set<vm_cid>{cid, cid + 1}));
  auto vm = launch(request());
  auto all = reports.wait(1);
  CAF_REQUIRE_EQUAL(all.size(), 1u);
  CAF_CHECK_EQUAL(all.front().words,
                  "record \"" + silent->path() + "\" is that of a living keeper");
  CAF_CHECK_EQUAL(names_in(folder), ".lock 2049.socket");
  CAF_CHECK(silent->remove() && liar->remove());
}

CAF_TEST(records that make no sense are dropped) {
  open();
  dir.write("state/keepers/notes", "");
  CAF_REQUIRE(keeper_record::make(state, cid)); // Before anything was written.
  CAF_REQUIRE(keeper_record::make(state, cid + 1)->write_launch("{\"version\":1,\"cid\""));
  ::mkdir((folder + "/77").c_str(), 0700);
  open();
  CAF_CHECK(service->kept.empty());
  CAF_CHECK(service->unusable.empty());
  CAF_CHECK_EQUAL(names_in(state + "/keepers"), "notes");
  CAF_CHECK_EQUAL(names_in(folder), ".lock");
}

CAF_TEST(one service at a time has the keepers) {
  open();
  auto second = make_keeper_backend(options);
  CAF_REQUIRE(!second);
  auto what = second.why().what;
  CAF_CHECK_EQUAL(what, "keepers' folder \"" + folder + "\" is in use by another process");
}

CAF_TEST(a keeper has a cgroup of its own that the next service leaves alone) {
  test_cgroup cgroup;
  if (!cgroup)
    return;
  auto confine_and_open = [&] {
    options.how.confinement = {}; // The lock is the next one's.
    auto made = vmm_confinement::make({std::nullopt, cgroup.path()}, {}, {});
    CAF_REQUIRE(made);
    options.how.confinement = *made;
    open();
  };
  auto cgroup_of = [](int pid) { return read_file("/proc/" + std::to_string(pid) + "/cgroup"); };
  confine_and_open();
  auto vm = launch(request());
  auto pid = vmm_pid();
  auto keeper = keeper_pid();
  CAF_CHECK(cgroup.cgroups() == std::vector<std::string>{"keeper-2048"});
  CAF_CHECK(cgroup_of(keeper).ends_with("/keeper-2048/service\n"));
  CAF_CHECK(cgroup_of(pid).ends_with("/keeper-2048/vm-2048\n"));
  leave(vm);
  confine_and_open();
  vm = adopt();
  CAF_CHECK_EQUAL(vmm_pid(), pid);
  ::kill(keeper, SIGKILL);
  end();
  CAF_CHECK(cgroup.cgroups().empty());
  CAF_CHECK_EQUAL(reap(keeper), "signal 9");
  release(vm);
  check_nothing_left();
  vm = nullptr;
  service.reset();
  options.how.confinement = {};
}

CAF_TEST_FIXTURE_SCOPE_END()
