// SPDX-License-Identifier: Apache-2.0
// A service's side of real keepers, whose VMMs are stand-ins for QEMU.
#pragma once

#include "crosvisor/io/keeper/keeper_launcher.hpp"
#include "crosvisor/tests/io/launched_vms.hpp"

#include <caf/test/dsl.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <chrono>
#include <csignal>
#include <optional>
#include <set>

namespace crosvisor::tests {

struct launcher_fixture {
  static constexpr vm_cid cid = 2048;

  holdings before;
  temp_dir dir;
  std::string state = dir / "state";
  std::string folder = dir / "run";
  std::string kernel = dir.write("vmlinux", "kernel");
  io::keeper_launcher_options options;
  std::optional<io::keeper_backend> service;
  mailbox<launch_report> reports;
  mailbox<bool> released;
  mailbox<payload_status> statuses;

  launcher_fixture() {
    ::mkdir(state.c_str(), 0700);
    options.program = KEEPER;
    options.folder = folder;
    options.how.state_dir = state;
    options.vmms = {{vmm_kind::qemu, STAND_IN_QEMU, "", {true, {}}, {"tcg"}}};
  }

  ~launcher_fixture() {
    service.reset();
    CAF_CHECK_EQUAL(to_string(holdings{}), to_string(before));
  }

  void open() {
    service.reset();
    auto made = io::make_keeper_backend(options);
    if (!made)
      CAF_MESSAGE(made.why().what);
    CAF_REQUIRE(made);
    service.emplace(std::move(*made));
  }

  /// The service ends and leaves its VMs.
  void leave(std::shared_ptr<io::vmm_process>& vm) {
    service->launcher->leave();
    vm = nullptr;
    service.reset();
    reports.clear();
    statuses.clear();
  }

  io::launch_request request(const std::string& play = "play=up", vm_cid of = cid) {
    io::launch_request made;
    made.cid = of;
    made.config.name = "demo";
    made.config.kernel = {"vmlinux", 0};
    made.config.params = play;
    made.choice = {vmm_kind::qemu, accel_kind::tcg};
    made.files = std::make_shared<io::descriptor_set>();
    made.files->add(io::unique_fd{::open(kernel.c_str(), O_RDONLY | O_CLOEXEC)});
    return made;
  }

  io::vmm_callbacks callbacks() { return callbacks_to(reports); }

  std::shared_ptr<io::guest_streams> make_streams() {
    return service->streams->make_streams(
      {[this](payload_status status) { statuses.put(std::move(status)); }, [](const auto&) {}});
  }

  std::shared_ptr<io::vmm_process> launch(io::launch_request what) {
    return service->launcher->launch(std::move(what), callbacks());
  }

  std::shared_ptr<io::vmm_process> adopt(std::shared_ptr<io::guest_streams> streams = nullptr) {
    return service->launcher->adopt(cid, std::move(streams), callbacks());
  }

  /// What is told, once there are so many: `up exit`.
  std::string told(std::size_t count) {
    std::string words;
    for (const auto& each : reports.wait(count))
      words += (words.empty() ? "" : " ") + each.what;
    return words;
  }

  /// `killed, signal 9: why`.
  std::string end() {
    auto all =
      reports.wait_for([](auto& some) { return !some.empty() && some.back().what == "exit"; });
    if (all.empty() || all.back().what != "exit")
      return "no end";
    const auto& exit = all.back().exit;
    return to_string(exit.reason) + ", " + to_string(exit)
           + (exit.detail.empty() ? "" : ": " + exit.detail);
  }

  int vmm_pid() {
    for (const auto& each : reports.wait(1))
      if (each.what == "up")
        return each.pid;
    return -1;
  }

  /// The one keeper, which is a child of ours, unless there are others.
  /// @param but is not it.
  int keeper_pid(int but = -1) {
    for (auto pid : child_pids())
      if (pid != but && !std::count(before.children.begin(), before.children.end(), pid))
        return pid;
    return -1;
  }

  /// How one ended that nobody waits for, since the service that started it has ended.
  std::string reap(int pid) {
    int status = 0;
    if (::waitpid(pid, &status, 0) != pid)
      return "not ours";
    return WIFSIGNALED(status) ? "signal " + std::to_string(WTERMSIG(status))
                               : "exit code " + std::to_string(WEXITSTATUS(status));
  }

  void release(const std::shared_ptr<io::vmm_process>& vm) {
    released.clear();
    vm->release([this] { released.put(true); });
    CAF_CHECK_EQUAL(released.wait(1).size(), 1u);
  }

  /// But logs.
  void check_nothing_left() {
    CAF_CHECK_EQUAL(names_in(folder), ".lock");
    CAF_CHECK_EQUAL(names_in(state + "/keepers"), "");
  }

  io::unique_fd some_file(const std::string& text) {
    auto path = dir.write("file", text);
    io::unique_fd made{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    ::unlink(path.c_str());
    return made;
  }

  /// `PARAMS, N files, FIRST to LAST`: what the first and the last have in them.
  std::string origin_of(io::vmm_process& vm) {
    mailbox<std::string> answer;
    vm.get_origin([&](io::result<io::vm_origin> got) {
      if (!got)
        return answer.put(got.why().what);
      auto text = [&](std::size_t i) {
        char bytes[8] = {};
        return ::pread(got->files->get(i), bytes, sizeof bytes - 1, 0) < 0 ? "?"
                                                                           : std::string{bytes};
      };
      auto count = got->files->size();
      answer.put(got->config.params + ", " + std::to_string(count) + " files, " + text(0) + " to "
                 + text(count - 1));
    });
    auto all = answer.wait(1);
    return all.empty() ? "no answer" : all.front();
  }

  std::string ask(io::vmm_process& vm, io::vmm_request what) {
    mailbox<std::string> answer;
    vm.ask(what, [&](io::result<void> done) { answer.put(done ? "done" : done.why().what); });
    auto all = answer.wait(1);
    return all.empty() ? "no answer" : all.front();
  }
};

/// Whether a process ends.
inline bool ends(int pid) {
  io::unique_fd pidfd{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))};
  pollfd ended{pidfd.get(), POLLIN, 0};
  return !pidfd || ::poll(&ended, 1, 20'000) == 1;
}

} // namespace crosvisor::tests
