// SPDX-License-Identifier: Apache-2.0
// VMs whose VMMs are scripts, started by the real launcher, and what is told of them.
#pragma once

#include "crosvisor/io/linux_vmm_launcher.hpp"
#include "crosvisor/tests/io/leftovers.hpp"
#include "crosvisor/tests/io/script_driver.hpp"
#include "crosvisor/tests/io/temp_dir.hpp"

#include <caf/test/dsl.hpp>

#include <memory>
#include <string>
#include <utility>

namespace crosvisor::tests {

struct launch_report {
  std::string what; ///< up, failed, fault, exit
  int pid = 0;
  io::launch_failure where = io::launch_failure::host;
  std::string words;
  vmm_exit exit;
};

/// Callbacks that report; `to` outlives them.
inline io::vmm_callbacks callbacks_to(mailbox<launch_report>& to) {
  io::vmm_callbacks made;
  made.on_up = [&to](int pid) { to.put({"up", pid, {}, {}, {}}); };
  made.on_launch_failed = [&to](io::launch_failure where, std::string words) {
    to.put({"failed", 0, where, std::move(words), {}});
  };
  made.on_fault = [&to](std::string words) { to.put({"fault", 0, {}, std::move(words), {}}); };
  made.on_exit = [&to](vmm_exit exit) { to.put({"exit", 0, {}, {}, std::move(exit)}); };
  return made;
}

/// The part that fixtures of launches have in common.
struct launched_vms {
  holdings before;
  temp_dir dir;
  std::string kernel = dir.write("vmlinux", "kernel");
  std::shared_ptr<io::vmm_launcher> launcher;
  holdings idle; // With a launcher that has nothing to do.
  mailbox<launch_report> reports;
  io::disk_server_programs disk_server; // Of launchers that are opened, like what follows.
  io::vmm_confinement confinement;
  io::reopened_files reopens = io::reopened_files::boot;

  void open(const std::string& script, const std::string& program = "/bin/bash",
            const std::string& vsock_program = "") {
    io::vmm_launcher_options options;
    options.runtime_root = dir / "run";
    options.state_dir = dir / "state";
    options.vsock_program = vsock_program;
    options.disk_server = disk_server;
    options.confinement = confinement;
    io::vmm_drivers drivers;
    drivers.qemu = std::make_unique<script_driver>(script, program, reopens);
    auto made = io::make_linux_vmm_launcher(options, std::move(drivers));
    CAF_REQUIRE(made);
    launcher = *made;
    idle = holdings{};
  }

  io::launch_request request(vm_cid cid = 2048) const {
    io::launch_request made;
    made.cid = cid;
    made.config.name = "demo";
    made.config.kernel = {"vmlinux", 0};
    made.choice = {vmm_kind::qemu, accel_kind::tcg};
    made.files = std::make_shared<io::descriptor_set>();
    made.files->add(io::unique_fd{::open(kernel.c_str(), O_RDONLY | O_CLOEXEC)});
    return made;
  }

  std::shared_ptr<io::vmm_process> launch(io::launch_request what) {
    return launcher->launch(std::move(what), callbacks_to(reports));
  }
};

} // namespace crosvisor::tests
