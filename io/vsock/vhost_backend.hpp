// SPDX-License-Identifier: Apache-2.0
// The device's side of vhost-user: what each message of the VMM does.
#pragma once

#include "crosvisor/io/vsock/memory_table.hpp"
#include "crosvisor/io/vsock/poller.hpp"
#include "crosvisor/io/vsock/report.hpp"
#include "crosvisor/io/vsock/vhost_message.hpp"
#include "crosvisor/io/vsock/vring.hpp"

#include <array>
#include <cstdint>
#include <functional>
#include <vector>

namespace crosvisor::io::vsock {

/// VERSION_1, vhost-user's PROTOCOL_FEATURES, RING_EVENT_IDX.
inline constexpr std::uint64_t offered_features = 0x1'6000'0000;
/// MQ, REPLY_ACK, CONFIG.
inline constexpr std::uint64_t offered_protocol_features = 0x209;
inline constexpr std::uint64_t feature_event_idx = std::uint64_t{1} << 29;
inline constexpr std::uint64_t feature_protocol = std::uint64_t{1} << 30;
inline constexpr std::uint64_t protocol_reply_ack = std::uint64_t{1} << 3;

/// Rings: guest's receive buffers, its packets, events. The last is set up by some VMMs and unused.
inline constexpr std::size_t rx_ring = 0;
inline constexpr std::size_t tx_ring = 1;
inline constexpr std::size_t ring_count = 3;

/// Token of a poller for a ring's kick: this plus the ring's index.
inline constexpr std::uint64_t first_kick_token = 8;

/// State of one VMM's connection. Messages are to be handled in their order, each complete before
/// its reply goes out.
class vhost_backend {
public:
  /// What a message came to: bytes to send, empty for none.
  using reply = std::vector<std::byte>;

  /// @param before_tx_stops called while the tx queue still runs for the last time.
  vhost_backend(std::uint64_t guest_cid, poller& poll, report& log,
                std::function<void()> before_tx_stops);

  /// Fails on what no working VMM sends; then the connection is over. A message that asks to hear
  /// of its failure is answered instead.
  result<reply> handle(vhost_message message);

  /// Whether packets may flow: the queues of both directions run.
  bool running() noexcept { return rx() != nullptr && tx() != nullptr; }
  virtqueue* rx() noexcept { return rings_[rx_ring].queue(); }
  virtqueue* tx() noexcept { return rings_[tx_ring].queue(); }
  /// Whether both rings went on where they had stopped, so that it is the same driver as before.
  /// Once after a start.
  bool resumed() noexcept;

  /// The guest broke a ring's rules: end that ring and tell the VMM.
  void fail_ring(std::size_t index);
  /// Signals the guest where it is due.
  void call_if_due(std::size_t ring) noexcept;

private:
  result<reply> answer(vhost_message& message);
  result<void> perform(vhost_message& message);
  result<void> set_features(const vhost_message& message);
  result<void> set_protocol_features(const vhost_message& message);
  result<void> set_memory(vhost_message& message);
  result<void> set_ring_size(const vhost_message& message);
  result<void> set_ring_address(const vhost_message& message);
  result<void> set_ring_base(const vhost_message& message);
  result<void> set_ring_fd(vhost_message& message);
  result<void> enable_ring(const vhost_message& message);
  result<reply> get_ring_base(const vhost_message& message);
  result<reply> get_config(const vhost_message& message) const;

  vring* ring_of(std::uint64_t index) noexcept;
  void run(vring& ring);
  bool event_idx() const noexcept { return (features_ & feature_event_idx) != 0; }

  std::uint64_t guest_cid_;
  report& log_;
  std::function<void()> before_tx_stops_;
  std::uint64_t features_ = 0;
  std::uint64_t protocol_features_ = 0;
  memory_table memory_;
  std::array<vring, ring_count> rings_;
};

} // namespace crosvisor::io::vsock
