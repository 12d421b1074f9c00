// SPDX-License-Identifier: Apache-2.0
// The seam between the actors, which decide, and the host, where it is done. Tests put fakes behind
// it.
#pragma once

#include "crosvisor/io/descriptor_set.hpp"
#include "crosvisor/io/result.hpp"
#include "crosvisor/io/unique_fd.hpp"
#include "crosvisor/messages/host_info.hpp"
#include "crosvisor/messages/vm_config.hpp"
#include "crosvisor/messages/vm_info.hpp"
#include "crosvisor/messages/vm_state.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace crosvisor::io {

/// What a VMM can be asked through its control channel.
enum class vmm_request : std::uint8_t {
  power_button, ///< Press the guest's power button.
  quit,         ///< End without asking the guest.
  suspend,      ///< Stop the virtual CPUs.
  resume,       ///< Let them run again.
};

/// All that is needed to run one VM.
struct launch_request {
  vm_cid cid = no_cid;
  /// Valid by find_problem(), and named.
  vm_config config;
  vmm_choice choice;
  /// Taken over; closed in this process as soon as the VMM has them, and on every failure.
  std::shared_ptr<descriptor_set> files;
  /// The claimed /dev/vhost-vsock, or null where the VM runs without vsock. Owned by the registry.
  std::shared_ptr<const unique_fd> vsock;
};

/// Where a launch failed.
enum class launch_failure : std::uint8_t {
  bad_files, ///< A descriptor is not what the configuration says.
  host,      ///< The host refused: no space, no descriptors, no processes.
  no_vmm,    ///< The VMM's program can't be executed.
};

/// What a VMM's process reports. Called on any thread of the backend's, one at a time, in the order
/// in which things happened; each may only send a message.
struct vmm_callbacks {
  /// The VMM runs the guest and its control channel answers. At most once.
  std::function<void(std::int32_t pid)> on_up;
  /// There is and was no process. At most once, and nothing follows.
  std::function<void(launch_failure, std::string what)> on_launch_failed;
  /// The guest can't go on, and the VMM does not end by itself. Any number of times.
  std::function<void(std::string what)> on_fault;
  /// The process has ended and was reaped. Exactly once for each process, and nothing follows.
  std::function<void(vmm_exit)> on_exit;
};

/// One VMM's process, from the moment its launch was asked for. All calls are allowed at any time
/// on any thread, none blocks, and after the process has ended they answer an error. Letting go of
/// it kills and reaps the process and removes its runtime directory, in the background.
class vmm_process {
public:
  using completion = std::function<void(result<void>)>;
  using balloon_completion = std::function<void(result<balloon_info>)>;

  virtual ~vmm_process() = default;

  /// Asks through the control channel; `done` is called once, within the control timeout.
  virtual void ask(vmm_request what, completion done) = 0;

  virtual void get_balloon(balloon_completion done) = 0;

  /// Sets the balloon to `size_bytes`.
  virtual void set_balloon(std::uint64_t size_bytes, completion done) = 0;

  /// SIGTERM; before the process exists, it is not started at all or ended once it is there.
  virtual void terminate() = 0;

  /// SIGKILL; the same.
  virtual void kill() = 0;

  /// Removes the runtime directory of a process that has ended; `done` is called once, also when
  /// there is none.
  virtual void release(std::function<void()> done) = 0;
};

/// Starts VMMs.
class vmm_launcher {
public:
  virtual ~vmm_launcher() = default;

  /// Starts a VMM, without waiting for it. Exactly one of on_launch_failed and on_exit is called in
  /// the end.
  virtual std::shared_ptr<vmm_process> launch(launch_request request, vmm_callbacks callbacks) = 0;
};

/// Claims CIDs where the host's kernel knows them, so that two programs on a host can't have the
/// same.
class cid_claimer {
public:
  /// `taken`: another program has it. Without a descriptor and not taken: the kernel has no vsock
  /// for guests, and the CID is ours by our own table alone.
  struct claim {
    bool taken = false;
    std::shared_ptr<const unique_fd> descriptor;
  };

  virtual ~cid_claimer() = default;

  /// Does not block. An error is one that no other CID would mend.
  virtual result<claim> claim_cid(vm_cid cid) = 0;
};

/// Remembers the last allocated CID over restarts.
class cid_store {
public:
  virtual ~cid_store() = default;

  /// no_cid when none was ever saved.
  virtual vm_cid load() = 0;

  /// Does not block; a CID that could not be saved is reported once, in the log.
  virtual void save(vm_cid cid) = 0;
};

/// The host, whole. Outlives the actors that use it.
struct backend {
  host_info host;
  std::shared_ptr<vmm_launcher> launcher;
  std::shared_ptr<cid_claimer> cids;
  std::shared_ptr<cid_store> last_cid;
};

} // namespace crosvisor::io
