// SPDX-License-Identifier: Apache-2.0
// The seam between the actors, which decide, and the host, where it is done. Tests put fakes behind
// it.
#pragma once

#include "crosvisor/io/descriptor_set.hpp"
#include "crosvisor/io/image_builder.hpp"
#include "crosvisor/io/result.hpp"
#include "crosvisor/io/unique_fd.hpp"
#include "crosvisor/messages/caller.hpp"
#include "crosvisor/messages/host_info.hpp"
#include "crosvisor/messages/payload_status.hpp"
#include "crosvisor/messages/vm_config.hpp"
#include "crosvisor/messages/vm_event.hpp"
#include "crosvisor/messages/vm_info.hpp"
#include "crosvisor/messages/vm_state.hpp"

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace crosvisor::io {

/// What a VMM can be asked through its control channel.
enum class vmm_request : std::uint8_t {
  power_button, ///< Press the guest's power button.
  quit,         ///< End without asking the guest.
  suspend,      ///< Stop the virtual CPUs.
  resume,       ///< Let them run again.
};

class guest_streams;

/// What is known of a VM by those who decide, and would be lost with their process: words and what
/// they stand for, each at most max_note_bytes.
using vm_notes = std::map<std::string, std::string>;

inline constexpr std::size_t max_notes = 16;
inline constexpr std::size_t max_note_bytes = 64u << 10;

/// What each life of a VM that is started again begins with.
struct vm_origin {
  /// As it was asked for: an app is one still.
  vm_config config;
  vmm_choice choice;
  /// Duplicates of what came with it, which nobody else closes.
  std::shared_ptr<const descriptor_set> files;
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
  /// Every disk of `config` that has partitions, built; null where it has none. Let go of like
  /// `files`.
  std::shared_ptr<const built_disks> disks;
  /// The VM's streams, which its keeper takes over where it has one; null where it runs without
  /// vsock.
  std::shared_ptr<guest_streams> streams = nullptr;
  vm_notes notes = {};
  /// What its keeper keeps for get_origin(); null where the VM is never started again.
  std::shared_ptr<const vm_origin> origin = nullptr;
  /// Whose it is: as whom its shared directories are served.
  caller owner = {};
};

/// Where a launch failed.
enum class launch_failure : std::uint8_t {
  bad_files, ///< A descriptor is not what the configuration says.
  host,      ///< The host refused: no space, no descriptors, no processes.
  no_vmm,    ///< The VMM's program can't be executed.
};

/// A connected stream socket, non-blocking and close-on-exec; one holder at a time.
using stream_socket = std::shared_ptr<unique_fd>;

/// How many steps a launch has.
inline constexpr std::size_t max_launch_steps = 16;

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
  /// Of adopt() alone, at most once, may be empty: what was told so far had happened before, what
  /// follows happens now.
  std::function<void()> on_synced = {};
  /// The guest opened this port of the host's, of a VM that has a keeper; may be empty. Its
  /// connections come here and not to the vsock_listener, so that one that was opened before the
  /// VMM ended comes before on_exit, also when both are told again.
  std::function<void(std::uint32_t port, stream_socket)> on_connection = {};
  /// A part of the launch is done; before on_up, at most max_launch_steps times, may be empty.
  std::function<void(vm_step)> on_step = {};
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

  using connection = std::function<void(result<stream_socket>)>;

  /// Connects to a port of the guest's, within `bound`, 1 ms to an hour; `done` is called once.
  /// failure::code is ECONNREFUSED: nobody listens there; ETIMEDOUT: no answer within the bound, as
  /// before the guest's driver is up; ENOTCONN: the VM doesn't run; ENODEV: it has no vsock; else
  /// the host's own.
  virtual void connect_vsock(std::uint32_t port, std::chrono::milliseconds bound,
                             connection done) = 0;

  /// SIGTERM; before the process exists, it is not started at all or ended once it is there.
  virtual void terminate() = 0;

  /// SIGKILL; the same.
  virtual void kill() = 0;

  /// Keeps a note for whoever adopts the VM; an empty value removes it. In vain without a keeper.
  virtual void note(std::string key, std::string value) = 0;

  using origin_completion = std::function<void(result<vm_origin>)>;

  /// launch_request::origin, of a VM that was adopted; also after its end, until it is released.
  /// `done` is called once, within the control timeout. failure::code is ENOTSUP where nothing was
  /// kept.
  virtual void get_origin(origin_completion done) = 0;

  /// Of a VM that has ended and is to be launched again: releases all of it but what the next life
  /// is made from, by which another service finds it. It is released when this is let go of, which
  /// is when the next life is up or has ended. `done` is called once. Without a keeper the same as
  /// release().
  virtual void step_aside(std::function<void()> done) = 0;

  /// Removes the runtime directory of a process that has ended; `done` is called once, also when
  /// there is none.
  virtual void release(std::function<void()> done) = 0;
};

/// A VM that has outlived the process that launched it, kept by its keeper; or what is left of one
/// whose keeper has ended, too.
struct kept_vm {
  vm_cid cid = no_cid;
  /// As it was launched: an app has become kernel and disks.
  vm_config config;
  vmm_choice choice;
  vm_notes notes;
  /// See launch_request::vsock.
  std::shared_ptr<const unique_fd> vsock;
};

/// Starts VMMs.
class vmm_launcher {
public:
  virtual ~vmm_launcher() = default;

  /// Starts a VMM, without waiting for it. Exactly one of on_launch_failed and on_exit is called in
  /// the end.
  virtual std::shared_ptr<vmm_process> launch(launch_request request, vmm_callbacks callbacks) = 0;

  /// Takes a VM of backend::kept back, once. What its keeper has seen so far is told again from the
  /// beginning, to `callbacks` and to those of `streams`, then what happens. Letting go of the
  /// result kills it, as with one that was launched. Null: there is none of that CID.
  /// @param streams see launch_request.
  virtual std::shared_ptr<vmm_process> adopt(vm_cid cid, std::shared_ptr<guest_streams> streams,
                                             vmm_callbacks callbacks) = 0;

  /// Takes back the life before, once, of a VM of backend::kept whose present one may not have
  /// begun: where that fails, this one stands for the VM again. Before or after adopt(). Letting go
  /// of it releases it. Null: there is none.
  virtual std::shared_ptr<vmm_process> adopt_last(vm_cid cid) = 0;

  /// This process is about to end and leaves its VMs to their keepers: from now on letting go of
  /// them, and of this, kills none that has a keeper.
  virtual void leave() = 0;
};

/// What comes from a VM's guest through its connections. Called on any thread of the backend's, one
/// at a time; each may only send a message.
struct stream_callbacks {
  /// A line of its status channel, as it was written: nothing is checked against what came before.
  std::function<void(payload_status)> on_status;
  /// Its status channel carries something else; the connection was closed.
  std::function<void(std::string what)> on_bad_status;
};

/// One VM's payload output and status, from its creation until after its death. Any thread; nothing
/// blocks. Output is read from the guest as fast as the fastest reader takes it, so a slow one
/// slows only itself: when it is further behind than what is kept, it misses what it did not read.
/// With one reader nothing is lost. Before the first reader the last bytes are kept, up to the same
/// bound.
class guest_streams {
public:
  using reader_id = std::uint64_t;
  using chunk_handler = std::function<void(output_chunk)>;

  virtual ~guest_streams() = default;

  /// Reads payload output from a connection of the guest's, after what earlier ones had.
  virtual void take_output(stream_socket socket) = 0;

  /// Reads status lines from a connection of the guest's.
  virtual void take_status(stream_socket socket) = 0;

  /// A descriptor to read the output from, all that is kept first; end of file once the VM is dead
  /// and all was read. Blocking, close-on-exec. A reader that falls too far behind others finds an
  /// early end.
  virtual result<unique_fd> open_output() = 0;

  /// The same as chunks, at most as many bytes as were granted; none before the first grant. Called
  /// as stream_callbacks are.
  virtual reader_id add_reader(chunk_handler handler) = 0;
  virtual void grant(reader_id reader, std::uint64_t bytes) = 0;
  virtual void remove_reader(reader_id reader) = 0;

  /// The VM's processes have ended: reads what the connections still have, which is bounded in size
  /// and time, and takes no more. Then calls `done` once, after the last on_status; readers are
  /// served on until they have it all or let go.
  virtual void finish(std::function<void()> done) = 0;
};

/// Makes each VM's streams.
class guest_stream_factory {
public:
  virtual ~guest_stream_factory() = default;
  virtual std::shared_ptr<guest_streams> make_streams(stream_callbacks callbacks) = 0;
};

/// A connection that a guest opened.
struct guest_connection {
  /// Whose it is: the kernel's word or the device's own VM, never the guest's word.
  vm_cid cid = no_cid;
  std::uint32_t port = 0; ///< The host's port.
  stream_socket socket;
};

/// Called on any thread of the backend's; each may only send a message.
struct vsock_callbacks {
  std::function<void(guest_connection)> on_connection;
  /// The kernel's listener on this port has failed, and is closed.
  std::function<void(std::uint32_t port, std::string what)> on_lost;
};

/// Where guests' connections come in, those of the kernel's vsock and those of all devices. Any
/// thread; nothing blocks.
class vsock_listener {
public:
  virtual ~vsock_listener() = default;

  /// Before it is open, and after close(), what guests open is refused.
  virtual void open(vsock_callbacks callbacks) = 0;

  /// Serves a host port. Devices serve it in any case; the failure is the kernel's, on a host that
  /// has vsock for guests in its kernel. Repeating it tries that again, or does nothing.
  virtual result<void> listen(std::uint32_t port) = 0;

  /// No callback follows.
  virtual void close() = 0;
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
  std::shared_ptr<image_builder> images;
  std::shared_ptr<cid_claimer> cids;
  std::shared_ptr<cid_store> last_cid;
  std::shared_ptr<guest_stream_factory> streams;
  std::shared_ptr<vsock_listener> vsock;
  /// To be adopted, or they are killed when the launcher goes.
  std::vector<kept_vm> kept = {};
};

} // namespace crosvisor::io
