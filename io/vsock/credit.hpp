// SPDX-License-Identifier: Apache-2.0
// How much each end of a connection may send (VIRTIO 1.2, 5.10.6.3). Counters are modulo 2^32.
#pragma once

#include <algorithm>
#include <cstdint>

namespace crosvisor::io::vsock {

/// What we may send. Whatever the guest claims costs its own connection at most a stall.
class send_credit {
public:
  /// @param first where the counters start; not 0 only in tests.
  explicit send_credit(std::uint32_t first = 0) : forwarded_(first), sent_(first) {}

  /// What the guest's last packet said.
  void update(std::uint32_t buf_alloc, std::uint32_t fwd_cnt) noexcept {
    buf_alloc_ = buf_alloc;
    forwarded_ = fwd_cnt;
  }

  /// Bytes that the guest has room for. A guest that has shrunk its buffer, or lies, has none; the
  /// plain difference would be close to 2^32 there.
  std::uint32_t free() const noexcept {
    std::uint32_t in_flight = sent_ - forwarded_;
    return in_flight > buf_alloc_ ? 0 : buf_alloc_ - in_flight;
  }

  /// Bytes to send now. After a stall that is 0 until a good part is free: using each freed byte at
  /// once ends in one CREDIT_UPDATE per packet. No update is awaited in vain, since Linux withholds
  /// it only while 64 KiB are free.
  std::uint32_t usable() noexcept {
    auto bytes = free();
    auto enough = std::max(1u, std::min(65536u, buf_alloc_ / 2));
    stalled_ = bytes == 0 || (stalled_ && bytes < enough);
    return stalled_ ? 0 : bytes;
  }

  /// `bytes` of payload are in the ring.
  void sent(std::uint32_t bytes) noexcept { sent_ += bytes; }

private:
  std::uint32_t buf_alloc_ = 0;
  std::uint32_t forwarded_;
  std::uint32_t sent_;
  bool stalled_ = false;
};

/// What the guest may send.
class receive_credit {
public:
  /// @param window bytes that this end can hold for the connection.
  explicit receive_credit(std::uint32_t window = 0, std::uint32_t first = 0)
      : window_(window), received_(first), forwarded_(first), announced_(first) {}

  std::uint32_t window() const noexcept { return window_; }
  std::uint32_t forwarded() const noexcept { return forwarded_; }

  /// Takes `bytes` from the guest; false if it had no credit for them.
  bool take(std::uint32_t bytes) noexcept {
    if (bytes > window_ - (received_ - forwarded_))
      return false;
    received_ += bytes;
    return true;
  }

  /// The host has taken `bytes`, or nobody will.
  void forward(std::uint32_t bytes) noexcept { forwarded_ += bytes; }

  /// The guest ought to hear of what was forwarded: half the window.
  bool update_due() const noexcept { return forwarded_ - announced_ >= window_ / 2; }

  /// A packet with forwarded() is in the ring.
  void announce() noexcept { announced_ = forwarded_; }

private:
  std::uint32_t window_;
  std::uint32_t received_;
  std::uint32_t forwarded_;
  std::uint32_t announced_;
};

} // namespace crosvisor::io::vsock
