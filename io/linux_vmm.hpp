// SPDX-License-Identifier: Apache-2.0
// One VMM on this host, from its launch to its end.
#pragma once

#include "crosvisor/io/backend.hpp"
#include "crosvisor/io/child_process.hpp"
#include "crosvisor/io/guest/crash_files.hpp"
#include "crosvisor/io/guest/vsock_device.hpp"
#include "crosvisor/io/linux_vmm_host.hpp"
#include "crosvisor/io/log/console_log.hpp"
#include "crosvisor/io/log/log_store.hpp"
#include "crosvisor/io/runtime_dir.hpp"
#include "crosvisor/io/vmm/companions.hpp"
#include "crosvisor/io/vmm/vm_confinement.hpp"
#include "crosvisor/io/vmm/vm_memory.hpp"
#include "crosvisor/io/vmm/vmm_driver.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace crosvisor::io {

/// What a launch makes; becomes the VM's when its VMM runs, and goes with all that is in it when
/// not.
struct vmm_resources;

/// One VM's process and what belongs to it. It is kept alive by what it waits for: its launch, its
/// process, its logs' ends. Any thread, but for what says otherwise.
class linux_vmm : public std::enable_shared_from_this<linux_vmm> {
public:
  linux_vmm(linux_vmm_host& host, vmm_callbacks callbacks);

  /// Does the whole launch and reports its failure, on a worker's thread.
  void launch(launch_request request);

  /// See vmm_process.
  void ask(vmm_request what, vmm_process::completion done);
  void get_balloon(vmm_process::balloon_completion done);
  void set_balloon(std::uint64_t size_bytes, vmm_process::completion done);
  void connect_vsock(std::uint32_t port, std::chrono::milliseconds bound,
                     vmm_process::connection done);
  void note(std::string, std::string) {} // It goes with this process.
  void get_origin(vmm_process::origin_completion done);
  void step_aside(std::function<void()> done) { release(std::move(done)); }
  void release(std::function<void()> done);

  /// Sends a signal to the process; before it is there, the signal is sent as soon as it is.
  void signal(int number);

  /// Nobody holds it any more: kill it, and remove its directory in the end.
  void abandon();

private:
  enum class phase { launching, running, ended };
  struct launch_error {
    launch_failure where;
    std::string what;
  };
  using launch_result = std::unique_ptr<launch_error>; // Null: done.

  launch_result try_launch(launch_request& request, vmm_resources& made);
  launch_result make_resources(launch_request& request, vmm_resources& made);
  result<void> make_logs(const launch_request& request, vmm_resources& made);
  result<void> make_vsock(const launch_request& request, vmm_resources& made);
  void make_crash_files(const device_config& devices, vmm_resources& made);
  void start_vsock(vmm_resources& made);
  result<void> make_disk_servers(const vmm_driver& driver, vmm_resources& made);
  result<void> make_devices(const launch_request& request, vmm_resources& made);
  result<void> make_file_servers(const launch_request& request, vmm_resources& made);
  result<void> make_control(const vmm_driver& driver, vmm_resources& made);
  launch_result start(const vmm_driver& driver, vmm_resources& made);
  void take(const vmm_driver& driver, vmm_resources& made);
  void step_done(const char* name);
  void tell_steps();

  // On the loop's thread.
  void fail(const launch_error& why);
  void connect(const vmm_driver& driver, control_endpoint endpoint, const vm_description& vm);
  void exited(exit_status status);
  void watch_companions();
  void conclude();
  void conclude_companions();
  void conclude_pstore();
  void finish_log(std::shared_ptr<console_log>& log, std::string* tail = nullptr);
  void part_done();
  void report();

  std::shared_ptr<vmm_channel> channel();
  void refuse(std::function<void(failure)> done);
  void remove_dir(std::function<void()> done);

  linux_vmm_host& host_; // Not to be touched by what may be called after its end.
  const std::shared_ptr<living_vmms> living_;
  vmm_callbacks callbacks_;

  std::mutex mutex_; // Of what follows, up to the next comment.
  phase phase_ = phase::launching;
  int wanted_signal_ = 0;
  std::shared_ptr<child_process> child_;
  std::shared_ptr<vmm_channel> channel_;
  std::unique_ptr<vsock_device> device_;
  std::unique_ptr<companions> companions_;
  vm_cid kernel_cid_ = no_cid; // Where the kernel has its vsock.
  std::unique_ptr<runtime_dir> dir_;
  vm_confinement confinement_;
  std::function<void()> released_; // Asked for before the end.

  // The launching worker's, then the loop's.
  std::shared_ptr<console_log> console_;
  std::shared_ptr<console_log> log_;
  std::shared_ptr<console_log> vmm_log_;
  std::shared_ptr<console_log> failures_;
  pstore_memory pstore_;
  std::shared_ptr<crash_files> crashes_;
  std::string log_name_;
  std::vector<vm_step> steps_; // Not told yet.
  std::int64_t step_began_us_ = 0;
  exit_status status_;
  vmm_exit exit_;
  std::string last_words_;
  std::string failure_text_; // What the guest wrote to its second serial port.
  int parts_left_ = 0;
  bool connected_ = false;
  bool was_up_ = false;
};

} // namespace crosvisor::io
