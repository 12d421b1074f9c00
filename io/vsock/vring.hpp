// SPDX-License-Identifier: Apache-2.0
// One ring as vhost-user sets it up, whatever the order of the messages.
#pragma once

#include "crosvisor/io/unique_fd.hpp"
#include "crosvisor/io/vsock/poller.hpp"
#include "crosvisor/io/vsock/virtqueue.hpp"

#include <cstdint>
#include <optional>

namespace crosvisor::io::vsock {

/// What tells one set-up of a ring from another.
struct vring_setup {
  std::uint32_t size = 0;        ///< A power of two, 1 to 32768; 0 until it is told.
  std::uint16_t base = 0;        ///< Index of the next available buffer.
  std::uint64_t descriptors = 0; ///< Addresses in the VMM's address space.
  std::uint64_t avail = 0;
  std::uint64_t used = 0;

  bool operator==(const vring_setup&) const = default;
};

/// Keeps what the messages say and runs the queue while the ring is started, enabled and its
/// addresses are good.
class vring {
public:
  /// @param token what `poll` reports for a kick.
  vring(poller& poll, std::uint64_t token, buffer_use use)
      : poll_(poll), token_(token), use_(use) {}
  ~vring() { set_kick({}); }
  vring(const vring&) = delete;
  vring& operator=(const vring&) = delete;

  vring_setup setup;
  bool started = false;
  bool enabled = false;

  /// Takes the place of the present one. False if it can't be waited for.
  bool set_kick(unique_fd fd) noexcept;
  /// Calls at once if one was missed for want of a descriptor.
  void set_call(unique_fd fd) noexcept;
  void set_err(unique_fd fd) noexcept { err_ = std::move(fd); }

  /// Runs the queue if it may; false if it ought to and its addresses are bad.
  bool run(const memory_table& memory, bool event_idx);
  /// Ends the queue; its next index becomes the set-up's base.
  void park() noexcept;
  /// Ends a queue whose guest broke the rules, until the VMM starts it anew, and tells the VMM.
  void fail() noexcept;
  /// GET_VRING_BASE: back to before the first SET_VRING_KICK.
  void stop() noexcept;
  /// The memory will be `memory`: a running queue goes on there. False if it had to end.
  bool remap(const memory_table& memory) noexcept;

  virtqueue* queue() noexcept { return queue_ ? &*queue_ : nullptr; }
  /// Whether the queue began where park() had left it. Once, then true until the next start.
  bool resumed() noexcept { return std::exchange(resumed_, true); }

  /// Signals the guest if it wants that for what was published.
  void call_if_due() noexcept;

private:
  bool resolve(const memory_table& memory, ring_parts& parts) const noexcept;
  void call() noexcept;

  poller& poll_;
  std::uint64_t token_;
  buffer_use use_;
  unique_fd kick_;
  unique_fd call_;
  unique_fd err_;
  bool call_may_block_ = false;
  bool call_missed_ = false;
  std::optional<vring_setup> parked_;
  bool resumed_ = true;
  std::optional<virtqueue> queue_;
};

} // namespace crosvisor::io::vsock
