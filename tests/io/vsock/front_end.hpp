// SPDX-License-Identifier: Apache-2.0
// A VMM, a guest's driver and a service for a device in this process or another.
#pragma once

#include "crosvisor/io/vsock/device.hpp"
#include "crosvisor/tests/io/vsock/guest_memory.hpp"

#include <deque>
#include <functional>
#include <memory>
#include <string>

namespace crosvisor::tests {

using namespace io::vsock;

inline constexpr std::uint32_t test_cid = 42;

/// A packet as the guest sees it.
struct guest_packet {
  packet_header header;
  std::string payload;
};

/// A message to the service with what it carries.
struct service_letter {
  channel_message message;
  io::unique_fd carried;
};

/// Plays everyone around the device. Nothing sleeps: the device gets its turns from here, or, in a
/// process of its own, is waited for with a bound.
class front_end {
public:
  /// @param ring_size of all rings.
  explicit front_end(std::uint16_t ring_size = 128);
  ~front_end();

  /// Makes the device in this process.
  void make_device(std::chrono::milliseconds last_flush = std::chrono::milliseconds{500});
  /// Device ends of the sockets, for a process of its own.
  io::unique_fd vmm_peer, service_peer;

  // -- VMM -----------------------------------------------------------------------
  void send(std::uint32_t request, const void* payload, std::size_t size, std::vector<int> fds = {},
            std::uint32_t flags = 1);
  void send_u64(std::uint32_t request, std::uint64_t value, std::vector<int> fds = {},
                std::uint32_t flags = 1);
  void send_state(std::uint32_t request, std::uint32_t index, std::uint32_t num,
                  std::uint32_t flags = 1);
  /// The next reply: header and payload. Empty if none comes.
  std::string reply();
  std::uint64_t reply_u64();
  void set_memory(std::uint32_t flags = 1);
  void set_address(unsigned ring);
  /// As recorded: the handshake, then the guest's driver starts.
  void start_like_qemu();
  void start_like_crosvm();
  /// As recorded for `suspend --full` and `resume`; the bases of the three rings.
  std::vector<std::uint16_t> suspend_like_crosvm();
  void resume_like_crosvm(std::vector<std::uint16_t> bases);
  /// As recorded when a VM stops or its guest resets; the bases.
  std::vector<std::uint16_t> stop_like_qemu();
  void restart_like_qemu(std::vector<std::uint16_t> bases);
  void handshake_like_qemu();
  bool was_called(unsigned ring);
  void kick(unsigned ring);

  // -- guest ---------------------------------------------------------------------
  /// Posts receive buffers of `length` until `count` are there.
  void post_buffers(std::size_t count, std::uint32_t length = 3776);
  /// Header with this guest's addresses; generous credit.
  packet_header header(packet_op op, std::uint32_t host_port, std::uint32_t guest_port) const;
  /// Puts one packet in the tx ring, its bytes split as told; kicks.
  void send_packet(const packet_header& packet, std::string_view payload = {},
                   std::vector<std::uint32_t> split = {44});
  /// Raw bytes as one tx buffer.
  void send_bytes(std::string_view bytes, std::vector<std::uint32_t> split = {});
  /// The next packet to the guest; its buffer is posted again. packet_op::invalid if nothing
  /// comes.
  guest_packet packet();
  /// Its operation alone, packet_op::invalid if there is none.
  packet_op next_op();
  /// Drops what came.
  void drop_packets();

  // -- service -------------------------------------------------------------------
  void tell(message_kind kind, std::uint32_t port, std::uint32_t id = 0,
            std::uint32_t timeout_ms = 2000);
  service_letter letter();

  // -- whole steps ---------------------------------------------------------------
  /// The guest opens `host_port`, which is served; the host's end.
  io::unique_fd guest_connects(std::uint32_t host_port, std::uint32_t guest_port);
  /// Turns of the device until nothing is left to do, or `done`.
  bool run_until(const std::function<bool()>& done);
  void run();
  device_state turn();
  void advance(std::chrono::milliseconds time) { now += time; }

  guest_memory memory;
  driver_ring rx, tx, events;
  std::unique_ptr<device> made;
  io::unique_fd vmm, service;
  io::unique_fd kicks[3], calls[3], errs[3];
  std::chrono::steady_clock::time_point now{std::chrono::hours{1000}};
  std::vector<std::string> lines;
  std::uint32_t credit = 1u << 30; ///< What header() tells as buf_alloc.
  std::uint32_t forwarded = 0;     ///< And as fwd_cnt.
  bool repost = true;              ///< packet() posts its buffer again.

private:
  driver_ring& ring(unsigned index) { return index == 0 ? rx : index == 1 ? tx : events; }
  void settle();
  /// A request without payload, and its reply, which is dropped.
  void ask(std::uint32_t request);
  void negotiate();
  std::uint16_t take_base(unsigned ring);
  guest_packet take_packet();

  std::uint32_t buffer_length_ = 3776;
  std::vector<std::uint64_t> buffer_at_;
  std::size_t buffers_ = 0;
  std::uint64_t next_payload_ = 0;
};

/// How long something in another process is waited for.
inline constexpr int patience_ms = 20'000;

bool is_readable(int fd, int timeout_ms);
std::string read_all(int fd);
std::string read_some(int fd, std::size_t limit = 65536);

} // namespace crosvisor::tests
