// SPDX-License-Identifier: Apache-2.0
// Steps at which tests have this process fail. They are compiled into builds with tests alone
// (CROSVISOR_FAILPOINTS); elsewhere reach() is the constant 0.
#pragma once

#include "crosvisor/io/result.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace crosvisor::io {

/// The steps, each named after what has just been done or is about to be done.
enum class failpoint : std::uint8_t {
  // create
  claim_cid, ///< The CID is not claimed yet.
  save_cid,  ///< The last CID is about to be written.
  // images
  build_images, ///< A VM's images are about to be made.
  make_image,   ///< A client's.
  write_image,  ///< A piece of one is about to be written; `short` counts.
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
};
inline constexpr std::size_t failpoint_count = static_cast<std::size_t>(failpoint::take_ticket) + 1;

/// `claim_cid`, …
std::string_view name_of(failpoint point) noexcept;

#ifdef CROSVISOR_FAILPOINTS

/// Does what the environment's CROSVISOR_FAILPOINTS says of the point, a list such as
/// `claim_cid=kill,make_logs=ENOSPC:3,tell_up=pause`:
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

#endif

} // namespace crosvisor::io
