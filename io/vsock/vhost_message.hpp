// SPDX-License-Identifier: Apache-2.0
// The messages of vhost-user (docs/interop/vhost-user.rst of QEMU) that a vsock device gets.
#pragma once

#include "crosvisor/io/result.hpp"
#include "crosvisor/io/unique_fd.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace crosvisor::io::vsock {

/// Requests by the VMM; it may send any other number.
enum class vhost_request : std::uint32_t {
  get_features = 1,
  set_features = 2,
  set_owner = 3,
  reset_owner = 4,
  set_mem_table = 5,
  set_vring_num = 8,
  set_vring_addr = 9,
  set_vring_base = 10,
  get_vring_base = 11,
  set_vring_kick = 12,
  set_vring_call = 13,
  set_vring_err = 14,
  get_protocol_features = 15,
  set_protocol_features = 16,
  get_queue_num = 17,
  set_vring_enable = 18,
  get_config = 24,
  set_config = 25,
  get_inflight_fd = 31,
  get_max_mem_slots = 36,
  get_status = 40,
  check_device_state = 43,
  get_shmem_config = 44,
};

/// What stands before each message's payload.
struct vhost_header {
  std::uint32_t request = 0;
  std::uint32_t flags = 0;
  std::uint32_t size = 0; ///< Of the payload, in bytes.
};
static_assert(sizeof(vhost_header) == 12);

/// Flags of a header; a reply has exactly `version | reply`.
inline constexpr std::uint32_t vhost_version = 1;
inline constexpr std::uint32_t vhost_version_mask = 3;
inline constexpr std::uint32_t vhost_reply = 4;
inline constexpr std::uint32_t vhost_need_reply = 8;

/// Payload of most messages about a ring.
struct vring_state {
  std::uint32_t index = 0;
  std::uint32_t num = 0;
};
static_assert(sizeof(vring_state) == 8);

/// Payload of SET_VRING_ADDR: addresses in the VMM's own address space.
struct vring_address {
  std::uint32_t index = 0;
  std::uint32_t flags = 0;
  std::uint64_t descriptors = 0;
  std::uint64_t used = 0;
  std::uint64_t avail = 0;
  std::uint64_t log = 0;
};
static_assert(sizeof(vring_address) == 40);

/// Longest payload that is read; the longest legal one has 8 + 32 * 32 bytes.
inline constexpr std::size_t max_vhost_payload = 4096;
/// The most descriptors with one message.
inline constexpr std::size_t max_vhost_fds = 32;

/// A whole message with what it owns.
struct vhost_message {
  vhost_header header;
  std::vector<std::byte> payload;
  std::vector<unique_fd> fds;

  vhost_request request() const noexcept { return vhost_request{header.request}; }
};

/// Reads messages from a stream socket as far as their bytes have come; never past one's end, as
/// the descriptors of the next come with its first byte.
class vhost_reader {
public:
  /// What is there so far.
  enum class state { incomplete, complete, ended };

  /// Never blocks. After `complete` take() the message; `ended` is the end of the socket, in the
  /// middle of a message too. Fails on what is no message: unknown version, a reply, too long, too
  /// many descriptors.
  result<state> read(int socket);
  vhost_message take();

private:
  result<state> read_header(int socket);
  result<state> read_payload(int socket);
  result<void> check_header();

  vhost_message message_;
  std::array<std::byte, sizeof(vhost_header)> header_;
  std::size_t header_bytes_ = 0;
  std::size_t payload_bytes_ = 0;
};

/// The reply to `request`, whole as it goes over the socket.
std::vector<std::byte> make_reply(vhost_request request, const void* payload, std::size_t size);

/// Sends without blocking, signals or descriptors. A VMM that reads no replies is a failure.
result<void> send_reply(int socket, const std::vector<std::byte>& reply);

} // namespace crosvisor::io::vsock
