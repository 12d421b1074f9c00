// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/linux_vmm_launcher.hpp"

#include "crosvisor/io/runtime_dir.hpp"
#include "crosvisor/tests/io/launched_vms.hpp"

#include <caf/test/dsl.hpp>

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/wait.h>

#include <csignal>
#include <optional>

#undef CAF_SUITE
#define CAF_SUITE io.linux_vmm_launcher

using namespace crosvisor;
using namespace crosvisor::io;
using namespace crosvisor::tests;

namespace fs = std::filesystem;

namespace {

struct fixture : launched_vms {
  mailbox<bool> released;

  std::string log(const std::string& name) {
    return read_file(dir / "state/logs/2048-demo/" + name);
  }

  void release(const std::shared_ptr<vmm_process>& vmm) {
    vmm->release([this] { released.put(true); });
    CAF_REQUIRE_EQUAL(released.wait(1).size(), 1u);
  }

  // With the launcher gone, which has descriptors and threads of its own.
  void check_nothing_left() {
    CAF_CHECK_EQUAL(names_in(dir / "run"), ".lock");
    launcher = nullptr;
    CAF_CHECK_EQUAL(to_string(holdings{}), to_string(before));
  }

  void check_fails(launch_request what, launch_failure where, const std::string& words) {
    auto files = what.files;
    auto vmm = launch(std::move(what));
    auto told = reports.wait(1);
    CAF_REQUIRE_EQUAL(told.size(), 1u);
    CAF_MESSAGE(told.back().words);
    CAF_CHECK_EQUAL(told.back().what, "failed");
    CAF_CHECK(told.back().where == where);
    CAF_CHECK_NOT_EQUAL(told.back().words.find(words), std::string::npos);
    CAF_CHECK_EQUAL(files->size(), 0u);
    CAF_CHECK_EQUAL(to_string(holdings{}), to_string(idle));
    release(vmm);
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(linux_vmm_launcher_tests, fixture)

CAF_TEST(a VM runs and its logs are whole when its end is told) {
  open("cat /proc/self/fd/$KERNEL >&$CONSOLE; echo log >&$LOG; echo out; echo err >&2; exit 0");
  auto asked = request();
  auto files = asked.files;
  auto vmm = launch(std::move(asked));
  auto told = reports.wait(2);
  CAF_REQUIRE_EQUAL(told.size(), 2u);
  CAF_CHECK_EQUAL(told[0].what, "up");
  CAF_CHECK_GREATER(told[0].pid, 0);
  CAF_CHECK_EQUAL(told[1].what, "exit");
  CAF_CHECK(told[1].exit.reason == death_reason::shutdown);
  CAF_CHECK_EQUAL(told[1].exit.detail, "");
  CAF_CHECK_EQUAL(log("console.log"), "kernel");
  CAF_CHECK_EQUAL(log("log.log"), "log\n");
  CAF_CHECK_EQUAL(log("vmm.log"), "out\nerr\n");
  CAF_CHECK_EQUAL(files->size(), 0u);
  CAF_CHECK(fs::exists(dir / "run/2048"));
  release(vmm);
  CAF_CHECK(!fs::exists(dir / "run/2048"));
  vmm = nullptr;
  check_nothing_left();
}

CAF_TEST(a VMM that ends at once says why) {
  open("echo first >&2; echo 'no such machine' >&2; exit 1");
  auto vmm = launch(request());
  auto told = reports.wait(2).back();
  CAF_CHECK(told.exit.reason == death_reason::start_failed);
  CAF_CHECK_EQUAL(told.exit.value, 1);
  CAF_CHECK_EQUAL(told.exit.detail, "no such machine");
  release(vmm);
  check_nothing_left();
}

CAF_TEST(the console may go to a descriptor of the client) {
  open("echo hello >&$CONSOLE; echo log >&$LOG");
  int ends[2];
  CAF_REQUIRE_EQUAL(::pipe2(ends, O_CLOEXEC), 0);
  unique_fd in{ends[0]};
  auto asked = request();
  asked.config.console = {"-", asked.files->add(unique_fd{ends[1]})};
  auto vmm = launch(std::move(asked));
  CAF_REQUIRE_EQUAL(reports.wait(2).size(), 2u);
  char text[32] = {};
  auto got = ::read(in.get(), text, sizeof(text));
  CAF_CHECK_EQUAL(std::string(text, static_cast<std::size_t>(got)), "hello\n");
  CAF_CHECK_EQUAL(::read(in.get(), text, sizeof(text)), 0); // Ours is closed.
  CAF_CHECK_EQUAL(names_in(dir / "state/logs/2048-demo"), "log.log");
  release(vmm);
  in.reset();
  check_nothing_left();
}

CAF_TEST(a disk that is not written reaches the VMM for reading alone) {
  open("for fd in $KERNEL $DISK0 $DISK1; do grep flags /proc/self/fdinfo/$fd; done");
  auto asked = request();
  auto add = [&](const char* name, bool writable) {
    auto path = dir.write(name, "disk");
    auto index = asked.files->add(unique_fd{::open(path.c_str(), O_RDWR | O_CLOEXEC)});
    asked.config.disks.push_back({{name, index}, image_format::raw, writable});
  };
  add("ro.img", false);
  add("rw.img", true);
  auto vmm = launch(std::move(asked));
  CAF_REQUIRE_EQUAL(reports.wait(2).size(), 2u);
  auto flags = log("vmm.log");
  // Octal, with O_LARGEFILE; the last digit is the access mode.
  CAF_CHECK_EQUAL(std::count(flags.begin(), flags.end(), '\n'), 3);
  CAF_CHECK_EQUAL(flags.substr(flags.size() - 2), "2\n");
  auto lines = flags.substr(0, flags.rfind("flags"));
  CAF_CHECK_EQUAL(lines.substr(lines.size() - 2), "0\n");
  release(vmm);
  check_nothing_left();
}

CAF_TEST(locks are the VMM alone to hold) {
  open("read line <&$CONTROL");
  auto path = dir.write("disk.img", "disk");
  auto asked = request();
  auto index = asked.files->add(unique_fd{::open(path.c_str(), O_RDWR | O_CLOEXEC)});
  CAF_REQUIRE_EQUAL(::flock(asked.files->get(index), LOCK_EX | LOCK_NB), 0);
  asked.config.disks.push_back({{"disk.img", index}, image_format::raw, true});
  auto vmm = launch(std::move(asked));
  CAF_REQUIRE_EQUAL(reports.wait(1).size(), 1u);
  unique_fd other{::open(path.c_str(), O_RDWR | O_CLOEXEC)};
  CAF_CHECK_NOT_EQUAL(::flock(other.get(), LOCK_EX | LOCK_NB), 0);
  vmm->kill();
  CAF_REQUIRE_EQUAL(reports.wait(2).size(), 2u);
  CAF_CHECK_EQUAL(::flock(other.get(), LOCK_EX | LOCK_NB), 0);
  other.reset();
  release(vmm);
  check_nothing_left();
}

CAF_TEST(files that are not what the configuration says start nothing) {
  open("exit 0");
  auto asked = request();
  asked.files->clear();
  asked.files->add(unique_fd{::open(dir.path().c_str(), O_RDONLY | O_CLOEXEC)});
  check_fails(std::move(asked), launch_failure::bad_files, "kernel \"vmlinux\": is a directory");
  check_nothing_left();
}

CAF_TEST(a VMM that is missing starts nothing) {
  open("exit 0", "/no/such/vmm");
  check_fails(request(), launch_failure::no_vmm, "/no/such/vmm");
  CAF_CHECK_EQUAL(names_in(dir / "state/logs"), "");
  check_nothing_left();
}

CAF_TEST(a VMM that this host has not starts nothing) {
  open("exit 0");
  auto asked = request();
  asked.choice.vmm = vmm_kind::crosvm;
  check_fails(std::move(asked), launch_failure::no_vmm, "crosvm");
  check_nothing_left();
}

CAF_TEST(a VM that the VMM cannot run starts nothing) {
  open("exit 0");
  auto asked = request();
  asked.config.protected_vm = true;
  check_fails(std::move(asked), launch_failure::no_vmm, "protect nothing");
  check_nothing_left();
}

CAF_TEST(a runtime directory that is taken starts nothing and stays) {
  open("exit 0");
  fs::create_directory(dir / "run/2048");
  dir.write("run/2048/precious", "x");
  check_fails(request(), launch_failure::host, "run/2048");
  CAF_CHECK_EQUAL(read_file(dir / "run/2048/precious"), "x");
  fs::remove_all(dir / "run/2048");
  check_nothing_left();
}

CAF_TEST(a log directory of another service starts nothing) {
  open("exit 0");
  fs::create_directory(dir / "state/logs/2048-demo");
  fs::permissions(dir / "state/logs/2048-demo", fs::perms::owner_all);
  unique_fd other{::open((dir / "state/logs/2048-demo").c_str(), O_RDONLY | O_CLOEXEC)};
  ::flock(other.get(), LOCK_EX);
  idle = holdings{};
  check_fails(request(), launch_failure::host, "another service");
  other.reset();
  check_nothing_left();
}

CAF_TEST(without descriptors a launch fails at each step and leaves nothing) {
  open("exit 0");
  // Once without a limit, so that everything that is made but once is there.
  auto first = launch(request(3000));
  CAF_REQUIRE_EQUAL(reports.wait(2).size(), 2u);
  release(first);
  first = nullptr;
  idle = holdings{};
  auto seen = 2u;
  auto failures = 0;
  for (auto free = 0u; free < 40; ++free) {
    auto asked = request();
    std::optional<descriptor_limit> limit{free};
    auto vmm = launch(std::move(asked));
    auto told =
      reports.wait_for([seen](auto& all) { return all.size() > seen && all.back().what != "up"; });
    limit.reset();
    CAF_REQUIRE_GREATER(told.size(), seen);
    seen = told.size();
    failures += told.back().what == "failed" ? 1 : 0;
    mailbox<bool> gone;
    vmm->release([&] { gone.put(true); });
    CAF_REQUIRE_EQUAL(gone.wait(1).size(), 1u);
    CAF_CHECK_EQUAL(to_string(holdings{}), to_string(idle));
    CAF_CHECK_EQUAL(names_in(dir / "run"), ".lock");
  }
  CAF_CHECK_GREATER(failures, 10);
  CAF_CHECK_LESS(failures, 39);
  check_nothing_left();
}

CAF_TEST(a VM that is stopped before it runs does not run on) {
  open("read line <&$CONTROL");
  for (auto i = 0u; i < 20; ++i) {
    auto vmm = launch(request(2048 + i));
    i % 2 == 0 ? vmm->terminate() : vmm->kill();
    auto told = reports.wait(1);
    while (told.back().what == "up")
      told = reports.wait(told.size() + 1);
    CAF_CHECK(told.back().what == "failed" || told.back().exit.kind == exit_kind::signal);
    mailbox<bool> gone;
    vmm->release([&] { gone.put(true); });
    CAF_REQUIRE_EQUAL(gone.wait(1).size(), 1u);
    reports.clear();
  }
  check_nothing_left();
}

CAF_TEST(letting go at any time ends everything) {
  open("read line <&$CONTROL");
  launch(request(2048)); // At once.
  auto second = launch(request(2049));
  auto third = launch(request(2050));
  reports.wait_for([](auto& all) {
    return std::count_if(all.begin(), all.end(), [](auto& r) { return r.what == "up"; }) >= 2;
  });
  second = nullptr;
  third = nullptr;
  auto ends = [](auto& all) {
    return std::count_if(all.begin(), all.end(), [](auto& r) { return r.what != "up"; });
  };
  reports.wait_for([&](auto& all) { return ends(all) == 3; });
  launcher = nullptr;
  auto told = reports.wait(3);
  CAF_CHECK_EQUAL(ends(told), 3); // Each exactly once.
  CAF_CHECK_EQUAL(names_in(dir / "run"), ".lock");
  CAF_CHECK_EQUAL(to_string(holdings{}), to_string(before));
}

CAF_TEST(the end of the launcher ends its VMs) {
  open("read line <&$CONTROL");
  auto vmm = launch(request());
  auto told = reports.wait(1);
  CAF_REQUIRE_EQUAL(told.back().what, "up");
  launcher = nullptr;
  told = reports.wait(2);
  CAF_CHECK_EQUAL(told.back().exit.value, SIGKILL);
  mailbox<bool> answered;
  vmm->ask(vmm_request::quit, [&](result<void> done) { answered.put(!!done); });
  vmm->terminate();
  CAF_CHECK_EQUAL(answered.wait(1), std::vector<bool>{false});
  vmm = nullptr;
  CAF_CHECK_EQUAL(names_in(dir / "run"), ".lock");
  CAF_CHECK_EQUAL(to_string(holdings{}), to_string(before));
}

CAF_TEST(a VM that has ended refuses requests) {
  open("exit 0");
  auto vmm = launch(request());
  CAF_REQUIRE_EQUAL(reports.wait(2).size(), 2u);
  mailbox<bool> answered;
  vmm->ask(vmm_request::quit, [&](result<void> done) { answered.put(!!done); });
  vmm->get_balloon([&](result<balloon_info> done) { answered.put(!!done); });
  vmm->set_balloon(0, [&](result<void> done) { answered.put(!!done); });
  CAF_CHECK_EQUAL(answered.wait(3), (std::vector<bool>{false, false, false}));
  vmm->kill();
  vmm = nullptr;
  launcher = nullptr;
  CAF_CHECK_EQUAL(to_string(holdings{}), to_string(before));
}

CAF_TEST(many VMs at once are each reported and leave nothing) {
  constexpr auto count = 64u;
  open("echo $$; exit 0");
  std::vector<std::shared_ptr<vmm_process>> vmms;
  for (auto i = 0u; i < count; ++i)
    vmms.push_back(launch(request(2048 + i)));
  CAF_CHECK_EQUAL(reports.wait(2 * count).size(), 2 * count);
  vmms.clear();
  launcher = nullptr;
  CAF_CHECK_EQUAL(names_in(dir / "run"), ".lock");
  CAF_CHECK_EQUAL(to_string(holdings{}), to_string(before));
}

CAF_TEST(the logs of the longest dead are removed) {
  vmm_launcher_options options;
  options.runtime_root = dir / "run";
  options.state_dir = dir / "state";
  options.kept_logs = 2;
  vmm_drivers drivers;
  drivers.qemu = std::make_unique<script_driver>("echo x");
  launcher = *make_linux_vmm_launcher(options, std::move(drivers));
  for (auto i = 0u; i < 4; ++i) {
    auto vmm = launch(request(2048 + i));
    CAF_REQUIRE_EQUAL(reports.wait(2 * (i + 1)).size(), 2 * (i + 1));
  }
  launcher = nullptr;
  CAF_CHECK_EQUAL(names_in(dir / "state/logs"), "2050-demo 2051-demo");
}

CAF_TEST_FIXTURE_SCOPE_END()
