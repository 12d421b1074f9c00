// SPDX-License-Identifier: Apache-2.0
// What real guests say, where it is kept, and what it costs when they say too much.
#include "crosvisor/service/service.hpp"
#include "crosvisor/tests/system/guest_vm.hpp"

#include <caf/test/dsl.hpp>

#include <sys/inotify.h>

#include <poll.h>

#include <filesystem>

#undef CAF_SUITE
#define CAF_SUITE guest.console

using namespace crosvisor;
using namespace crosvisor::tests;
using namespace std::chrono_literals;

namespace {

constexpr io::log_bounds small_logs{64u << 10, 4};

struct small_log_host : guest_host {
  small_log_host() : guest_host(small_logs) {}
};

bool contains(const std::string& text, const std::string& part) {
  if (text.find(part) != text.npos)
    return true;
  CAF_MESSAGE("no \"" << part << "\" in: " << text);
  return false;
}

/// Waits until `name` comes into a folder, now or later.
bool wait_for_file(const std::string& folder, const std::string& name) {
  io::unique_fd watch{::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)};
  ::inotify_add_watch(watch.get(), folder.c_str(), IN_CREATE | IN_MOVED_TO);
  auto deadline = std::chrono::steady_clock::now() + boot_bound;
  while (!std::filesystem::exists(folder + '/' + name)) {
    auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
      deadline - std::chrono::steady_clock::now());
    pollfd ready{watch.get(), POLLIN, 0};
    if (left <= 0ms || ::poll(&ready, 1, static_cast<int>(left.count())) <= 0)
      return false;
    char events[4096];
    while (::read(watch.get(), events, sizeof events) > 0) {
    }
  }
  return true;
}

std::uintmax_t bytes_in(const std::string& folder) {
  std::uintmax_t sum = 0;
  for (const auto& entry : std::filesystem::directory_iterator{folder})
    sum += entry.file_size();
  return sum;
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(guest_console, small_log_host)

CAF_TEST(console and log are kept apart and can be read after the death) {
  guest_vm vm{*this, guest_plan{"poweroff"}.name("speaker")};
  vm.start();
  vm.await_death();
  auto console = kept_log(vm.info(), "console");
  auto log = kept_log(vm.info(), "log");
  CAF_CHECK(contains(console, "demo: poweroff\r\n"));
  CAF_CHECK_EQUAL(console.find("init: powering off"), console.npos);
  CAF_CHECK(contains(log, "] init: powering off\n"));
  CAF_CHECK_EQUAL(log.find("demo: "), log.npos);
}

CAF_TEST(console and log go to descriptors of the client and not to files) {
  output_pipe console, log;
  guest_vm vm{*this, guest_plan{"poweroff"}.console(console).log(log)};
  vm.start();
  CAF_CHECK(console.wait_for_end(boot_bound));
  CAF_CHECK(log.wait_for_end(boot_bound));
  CAF_CHECK_EQUAL(summary_of(vm.await_death()), "shutdown, code 0");
  CAF_CHECK(contains(console.text(), "demo: poweroff\r\n"));
  CAF_CHECK(contains(log.text(), "] init: powering off\n"));
  CAF_CHECK_EQUAL(kept_log(vm.info(), "console") + kept_log(vm.info(), "log"), "");
}

CAF_TEST(a flood costs no more than the bound and the guest can still be stopped) {
  guest_vm vm{*this, guest_plan{"flood"}};
  vm.start();
  auto folder = log_folder(vm.info());
  CAF_REQUIRE(wait_for_file(folder, "console.log.3"));
  // Once round: the oldest file has been given up at least once more.
  std::filesystem::remove(folder + "/console.log.3");
  CAF_REQUIRE(wait_for_file(folder, "console.log.3"));
  auto bound = small_logs.files * small_logs.file_bytes;
  CAF_CHECK_LESS_OR_EQUAL(bytes_in(folder), bound + small_logs.file_bytes);
  auto info = vm.demand<vm_info>(stop_atom::value, caf::timespan{step_bound});
  CAF_CHECK_EQUAL(to_string(info.reason), "shutdown");
  CAF_CHECK_LESS_OR_EQUAL(bytes_in(folder), bound + small_logs.file_bytes);
  CAF_CHECK(contains(kept_log(info, "console.1"), "demo: flood 0123456789"));
}

CAF_TEST(a flood to a pipe that nobody reads holds up its own guest alone) {
  output_pipe stuck, console;
  guest_vm flooding{*this, guest_plan{"flood"}.console(stuck)};
  flooding.start();
  CAF_REQUIRE(stuck.wait_for("demo: flood 0123456789", boot_bound));
  guest_vm other{*this, guest_plan{"poweroff"}.console(console)};
  other.start();
  CAF_CHECK_EQUAL(summary_of(other.await_death()), "shutdown, code 0");
  CAF_CHECK(console.wait_for("demo: poweroff", step_bound));
  CAF_CHECK_EQUAL(to_string(flooding.state().state), "ready");
  auto began = std::chrono::steady_clock::now();
  flooding.demand<vm_info>(stop_atom::value, caf::timespan{2s});
  CAF_CHECK_LESS(std::chrono::steady_clock::now() - began, longest_stop({}, 2s) + 5s);
  flooding.await_death();
}

CAF_TEST(a slow reader of the console gets all of it) {
  output_pipe console;
  console.make_small();
  guest_vm vm{*this, guest_plan{"poweroff", "ignore_loglevel"}.console(console)};
  vm.start();
  CAF_CHECK(console.wait_for_end(boot_bound));
  vm.await_death();
  CAF_CHECK(contains(console.text(), "Linux version "));
  CAF_CHECK(contains(console.text(), "demo: poweroff"));
}

CAF_TEST(a reader that is gone does not keep the guest from its work) {
  output_pipe console;
  guest_vm vm{*this, guest_plan{"tick"}.console(console)};
  vm.start();
  CAF_REQUIRE(console.wait_for("tick 2\r\n", boot_bound));
  console.close_reader();
  vm.demand<vm_info>(stop_atom::value, caf::timespan{step_bound});
  CAF_CHECK_EQUAL(summary_of(vm.await_death()), "shutdown, code 0");
}

CAF_TEST_FIXTURE_SCOPE_END()
