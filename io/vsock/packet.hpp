// SPDX-License-Identifier: Apache-2.0
// The header of a virtio-vsock packet (VIRTIO 1.2, 5.10.6).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace crosvisor::io::vsock {

/// What a packet is for; a guest may send any other number.
enum class packet_op : std::uint16_t {
  invalid = 0,
  request = 1,
  response = 2,
  rst = 3,
  shutdown = 4,
  rw = 5,
  credit_update = 6,
  credit_request = 7,
};

/// The host's CID.
inline constexpr std::uint64_t host_cid = 2;
/// Type of a stream socket's packets, the only one served.
inline constexpr std::uint16_t stream_type = 1;
/// Flags of SHUTDOWN: its sender will not receive, will not send. Sticky.
inline constexpr std::uint32_t shut_receive = 1;
inline constexpr std::uint32_t shut_send = 2;
inline constexpr std::uint32_t shut_both = 3;
/// The most payload that one packet has, in bytes.
inline constexpr std::uint32_t max_payload = 65536;

/// A header's fields in the host's order.
struct packet_header {
  std::uint64_t src_cid = 0;
  std::uint64_t dst_cid = 0;
  std::uint32_t src_port = 0;
  std::uint32_t dst_port = 0;
  std::uint32_t len = 0; ///< Bytes of payload that follow.
  std::uint16_t type = stream_type;
  packet_op op = packet_op::invalid;
  std::uint32_t flags = 0;
  std::uint32_t buf_alloc = 0; ///< Bytes that the sender can hold.
  std::uint32_t fwd_cnt = 0;   ///< Bytes that it has consumed so far, modulo 2^32.

  bool operator==(const packet_header&) const = default;
};

/// A header's size in a packet, without padding.
inline constexpr std::size_t packet_header_size = 44;
using packet_header_bytes = std::array<std::byte, packet_header_size>;

/// Every content decodes; nothing is checked.
packet_header decode(const packet_header_bytes& bytes) noexcept;
packet_header_bytes encode(const packet_header& header) noexcept;

/// The RST that answers `packet`: addresses swapped, type echoed, no credit.
packet_header rst_for(const packet_header& packet) noexcept;

} // namespace crosvisor::io::vsock
