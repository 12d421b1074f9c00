// SPDX-License-Identifier: Apache-2.0
// Steps at which tests have this process fail. They are compiled into builds with tests alone
// (CROSVISOR_FAILPOINTS); elsewhere reach() is the constant 0.
#pragma once

#include "crosvisor/io/result.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace crosvisor::io {

/// The steps, each named after what has just been done or is about to be done.
enum class failpoint : std::uint8_t {
  // create
  claim_cid, ///< The CID is not claimed yet.
  save_cid,  ///< The last CID is about to be written.
  // files
  build_images,   ///< A VM's images are about to be made.
  make_image,     ///< A client's.
  write_file,     ///< A piece of an image or of a record is about to be written; `short` counts.
  replace_record, ///< A part of a keeper's record is written, and does not have its name yet.
  remove_record,
  write_journal, ///< Events are about to be written; `short` counts.
  // a keeper's begin and end, on the service's side
  start_keeper,   ///< It is about to be executed.
  keeper_started, ///< It is there, and has not been heard yet.
  hear_up,
  hear_exit,
  hear_connection,
  take_connection, ///< A guest's connection is about to be asked for.
  ask_keeper,
  signal_keeper,
  note_vm,
  release_keeper,
  // adoption
  find_keepers, ///< It is known whose records there are.
  greet_keeper, ///< One is about to be connected to.
  hear_hello,   ///< A hello is there, and not read yet.
  adopt_vm,     ///< A VM is about to be taken back.
  serve,        ///< All are, and no client is served yet.
  // a keeper's own
  begin_keeper,    ///< It has read its launch, and nothing else.
  welcome_service, ///< About to say hello.
  record_exit,     ///< The VMM has ended, and the record does not say so yet.
  exit_recorded,   ///< It does, and nobody was told.
  release_vm,
  // start
  make_runtime_dir,
  make_logs,
  make_vsock,
  make_disk_server,
  make_control,
  start_vmm,   ///< The VMM is about to be executed.
  vmm_started, ///< It is there, and nobody knows yet.
  tell_up,
  // stop and death
  ask_vmm,
  signal_vmm,
  tell_exit,
  remove_runtime_dir,
  // connections
  guest_connected, ///< A guest's connection has come, and is not passed on yet.
  connect_guest,
  open_output,
  put_ticket,
  take_ticket,
  // the image store
  begin_upload, ///< There is nothing of it yet.
  put_piece,    ///< A piece is about to be written.
  store_image,  ///< It is whole, and no image yet.
  image_stored, ///< It is one, and nobody knows yet.
  remove_image, ///< An image or an upload is about to be removed.
  open_image,   ///< One is about to be opened for a VM.
};
inline constexpr std::size_t failpoint_count = static_cast<std::size_t>(failpoint::open_image) + 1;

/// `claim_cid`, …
std::string_view name_of(failpoint point) noexcept;

#ifdef CROSVISOR_FAILPOINTS

/// Does what the environment's CROSVISOR_FAILPOINTS says of the point, a list such as
/// `claim_cid=kill,make_logs=ENOSPC:3,tell_up=pause`:
///   log       nothing but the line in the log, see below
///   kill      the process kills itself by SIGKILL
///   ENOSPC…   the step fails with that errno
///   pause     waits until somebody opens the FIFO that CROSVISOR_FAILPOINT_GATE names, for
///             writing, and closes it; a minute at most
///   short     see at_most()
/// With `:N` the N-th time that the point is reached does so, and no other; without, every time.
/// Each time that a point with an action does it, its name is appended as a line to the file that
/// CROSVISOR_FAILPOINT_LOG names, so that a test knows. Any thread.
/// @returns the errno with which the step is to fail; 0: go on.
int reach(failpoint point) noexcept;

/// How many of `bytes` a step writes at once: with `short` one half, at least 1.
std::size_t at_most(failpoint point, std::size_t bytes) noexcept;

/// The same for steps that answer a result: nothing, or why the step fails.
std::optional<failure> injected(failpoint point);

/// The environment of a keeper that is started: what this process's CROSVISOR_KEEPER_FAILPOINTS
/// says is the keeper's CROSVISOR_FAILPOINTS, and CROSVISOR_KEEPER_FAILPOINT_LOG its log; the gate
/// is the same.
std::vector<std::string> keeper_failpoints();

#else

constexpr int reach(failpoint) noexcept {
  return 0;
}

constexpr std::size_t at_most(failpoint, std::size_t bytes) noexcept {
  return bytes;
}

inline std::optional<failure> injected(failpoint) {
  return std::nullopt;
}

inline std::vector<std::string> keeper_failpoints() {
  return {};
}

#endif

} // namespace crosvisor::io
