// SPDX-License-Identifier: Apache-2.0
// One VMM's ways: how it is started, spoken to, and how its end is read.
#pragma once

#include "crosvisor/io/backend.hpp"
#include "crosvisor/io/child_process.hpp"
#include "crosvisor/io/event_loop.hpp"
#include "crosvisor/io/runtime_dir.hpp"
#include "crosvisor/io/vmm/vm_description.hpp"
#include "crosvisor/io/worker_pool.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace crosvisor::io {

/// The two ends of a control channel.
struct control_endpoint {
  unique_fd vmm;    ///< Inherited by the VMM, closed here once it runs; empty: the VMM makes it.
  unique_fd ours;   ///< Empty where we connect by `path` each time.
  std::string path; ///< Inside the runtime directory; empty for a channel without one.
};

/// What a control channel tells; called on the event loop's thread.
struct channel_callbacks {
  /// The VMM answers and runs the guest. At most once.
  std::function<void()> on_up;
  /// The guest can't go on, and the VMM does not end by itself; or the channel speaks nonsense.
  std::function<void(std::string what)> on_fault;
};

/// A control channel to one VMM. Calls on any thread; none blocks. Each request is answered once,
/// within the bound it was made with, also when the channel breaks.
class vmm_channel {
public:
  virtual ~vmm_channel() = default;

  virtual void ask(vmm_request what, vmm_process::completion done) = 0;
  virtual void get_balloon(vmm_process::balloon_completion done) = 0;
  virtual void set_balloon(std::uint64_t size_bytes, vmm_process::completion done) = 0;

  /// The VMM's process has ended: reads what it said last, answers what is pending with an error,
  /// and calls `done` once, on the loop's thread, with the end as this VMM's table and its last
  /// words have it. No callback follows.
  virtual void conclude(exit_status status, std::function<void(vmm_exit)> done) = 0;
};

/// What a VMM opens by its path in /proc/self/fd although it has inherited it: then it needs its
/// own user's right to it.
enum class reopened_files : std::uint8_t { none, boot, all };

/// Stateless but for the probed program; any thread.
class vmm_driver {
public:
  virtual ~vmm_driver() = default;

  virtual result<control_endpoint> make_endpoint(const runtime_dir& dir) const = 0;

  /// Whether this program can run `vm` at all, by what was probed; ask before anything is made.
  /// Pure: see check_image() for what the images hold.
  virtual result<void> check(const vm_description& vm) const = 0;

  /// Whether this program takes a vsock device of another process's (vm_description::vsock_device).
  virtual bool takes_vsock_device() const = 0;

  /// Whether it opens composite disks by itself; else it needs a disk server for each
  /// (described_disk::server).
  virtual bool reads_composite_disks() const = 0;

  /// The kernel, initrd and bootloader alone (`boot`), or its pipes, too. Then it also makes what
  /// it needs in the runtime directory.
  virtual reopened_files reopens() const = 0;

  /// A pure function: argv and the descriptors that it names. Standard output and error are left to
  /// the caller.
  virtual child_command command(const vm_description& vm) const = 0;

  /// Speaks to a VMM that was just started as `vm`. `endpoint.vmm` is closed.
  virtual std::shared_ptr<vmm_channel> connect(event_loop& loop, worker_pool& workers,
                                               control_endpoint endpoint, const vm_description& vm,
                                               channel_callbacks callbacks) const = 0;
};

/// How long a VMM may take to answer one request on its control channel.
inline constexpr std::chrono::seconds control_timeout{5};

/// How long what an ended VMM said last is waited for; it is in our socket's buffer by then.
inline constexpr std::chrono::milliseconds last_words_timeout{200};

/// The bounds of a control channel; tests make them shorter.
struct control_timeouts {
  std::chrono::milliseconds answer = control_timeout;
  std::chrono::milliseconds last_words = last_words_timeout;
};

/// The driver for a probed program.
std::unique_ptr<vmm_driver> make_crosvm_driver(const vmm_info& crosvm,
                                               control_timeouts timeouts = {});
std::unique_ptr<vmm_driver> make_qemu_driver(const vmm_info& qemu, control_timeouts timeouts = {});

} // namespace crosvisor::io
