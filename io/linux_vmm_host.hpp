// SPDX-License-Identifier: Apache-2.0
// What all VMs of one launcher share.
#pragma once

#include "crosvisor/io/event_loop.hpp"
#include "crosvisor/io/guest/guest_door.hpp"
#include "crosvisor/io/linux_vmm_launcher.hpp"
#include "crosvisor/io/log/log_store.hpp"
#include "crosvisor/io/runtime_dir.hpp"
#include "crosvisor/io/worker_pool.hpp"

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <set>

namespace crosvisor::io {

class linux_vmm;

/// The VMs that are being launched or have a process, and whether their host is still there: VMs
/// may be held longer than it. Any thread.
class living_vmms {
public:
  void add(linux_vmm* vmm);

  /// Nothing of it runs any more; the last thing that it does with the host.
  void remove(linux_vmm* vmm);

  /// Runs `task` if the host is there, and keeps it there meanwhile. False when it has gone.
  template <class Task>
  bool while_open(Task&& task) {
    std::lock_guard lock{mutex_};
    if (open_)
      task();
    return open_;
  }

  /// Kills all and waits until none is left or `bound` is over; then the host has gone.
  void close(std::chrono::seconds bound);

private:
  std::mutex mutex_; // Taken before a VM's own.
  std::condition_variable emptied_;
  std::set<linux_vmm*> vmms_;
  bool open_ = true;
};

/// In the order of construction: workers end first and with all their tasks, then the loops.
struct linux_vmm_host {
  linux_vmm_host(const vmm_launcher_options& options, vmm_drivers both,
                 std::shared_ptr<runtime_root> runtime, std::unique_ptr<log_store> store)
      : bounds(options.logs),
        vsock_program(options.vsock_program),
        disk_server(options.disk_server),
        share_program(options.share_program),
        confinement(options.confinement),
        door(options.door),
        drivers(std::move(both)),
        root(std::move(runtime)),
        logs(std::move(store)),
        own_loop(options.loop ? options.loop : std::make_shared<event_loop>("crosvisor-io")),
        own_log_loop(options.loop ? options.loop : std::make_shared<event_loop>("crosvisor-log")),
        channels(options.loop ? worker_pool{worker_pool::when_needed{}, 1, "crosvisor-ctl"}
                              : worker_pool{options.workers, "crosvisor-ctl"}),
        starters(options.loop ? worker_pool{*options.loop}
                              : worker_pool{options.workers, "crosvisor-start"}) {}

  const vmm_driver* driver(vmm_kind kind) const {
    return kind == vmm_kind::crosvm ? drivers.crosvm.get() : drivers.qemu.get();
  }

  const log_bounds bounds;
  const std::string vsock_program;        // Empty: VMs have the kernel's vsock or none.
  const disk_server_programs disk_server; // Empty: there is none.
  const std::string share_program;        // Empty: searched for.
  const vmm_confinement confinement;
  const std::shared_ptr<guest_door> door; // Null: what guests open is closed.
  const vmm_drivers drivers;
  const std::shared_ptr<runtime_root> root;
  const std::unique_ptr<log_store> logs;
  const std::shared_ptr<living_vmms> living = std::make_shared<living_vmms>();
  const std::shared_ptr<event_loop> own_loop;
  const std::shared_ptr<event_loop> own_log_loop; // Perhaps the same.
  event_loop& loop = *own_loop;
  event_loop& log_loop = *own_log_loop;
  worker_pool channels; // What a driver has to wait for, apart from starts.
  worker_pool starters;
};

} // namespace crosvisor::io
