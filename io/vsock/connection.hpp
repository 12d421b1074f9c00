// SPDX-License-Identifier: Apache-2.0
// One stream between a guest's port and a host's: what state it is in, what it owes the guest.
#pragma once

#include "crosvisor/io/unique_fd.hpp"
#include "crosvisor/io/vsock/byte_queue.hpp"
#include "crosvisor/io/vsock/credit.hpp"
#include "crosvisor/io/vsock/packet.hpp"

#include <chrono>
#include <cstdint>
#include <optional>

namespace crosvisor::io::vsock {

/// What a connection is called; both CIDs are fixed.
struct connection_key {
  std::uint32_t host_port = 0;
  std::uint32_t guest_port = 0;

  bool operator==(const connection_key&) const = default;
};

/// Where a connection stands.
enum class connection_phase : std::uint8_t {
  requesting,  ///< The host opens it; the guest has not answered.
  established, ///< Data flow, in one direction at least.
  closing,     ///< The host is done and gone; the guest has been told and is to end it.
  resetting,   ///< Over for the host; the guest is owed an RST.
};

/// What a packet of the guest came to.
enum class verdict : std::uint8_t {
  none,      ///< Nothing to be done with the host's end.
  data,      ///< Its payload goes to the host.
  opened,    ///< The guest accepted.
  shut,      ///< The guest ends one direction or both; see guest_shut().
  violation, ///< It broke the protocol: reset().
  gone,      ///< The guest knows it no more: forget it.
};

/// The state machine of one connection: pure, apart from the host's descriptor, which it keeps for
/// others to use.
class connection {
public:
  using time_point = std::chrono::steady_clock::time_point;
  static constexpr time_point never = time_point::max();

  /// @param window bytes that are held for the host at most, and so the guest's credit.
  connection(connection_key key, connection_phase phase, std::uint32_t window)
      : key_(key),
        phase_(phase),
        owes_response_(phase == connection_phase::established),
        from_guest_(window) {}

  connection_key key() const noexcept { return key_; }
  connection_phase phase() const noexcept { return phase_; }

  // -- packets -------------------------------------------------------------------

  /// What a packet of the guest means here. Its type and CIDs were checked.
  verdict receive(const packet_header& packet) noexcept;

  /// The credit that a packet of the guest tells; receive() does it too.
  void learn_credit(const packet_header& packet) noexcept {
    to_guest_.update(packet.buf_alloc, packet.fwd_cnt);
  }

  /// The packet without payload that the guest is owed next, if any.
  std::optional<packet_header> owed() const noexcept;
  /// A header for this connection, to be sent with `op`.
  packet_header header(packet_op op) const noexcept;
  /// A packet is in the ring. True if that was the last of the connection: forget it.
  bool sent(const packet_header& packet) noexcept;

  /// Whether data read from the host could be sent now.
  bool wants_data() noexcept;
  /// Bytes that may be sent now.
  std::uint32_t usable_credit() noexcept { return to_guest_.usable(); }
  /// Whether the guest's credit alone keeps data back.
  bool is_stalled() noexcept { return may_read_host() && to_guest_.usable() == 0; }
  /// Ask the guest for its credit, since nothing else makes it tell.
  void ask_credit() noexcept { owes_credit_request_ = true; }

  // -- the host's end ------------------------------------------------------------

  /// Payload went to the host, or to nobody.
  void forward(std::size_t bytes) noexcept {
    from_guest_.forward(static_cast<std::uint32_t>(bytes));
  }
  /// The host has ended its direction, and all it sent is in the ring.
  void host_ended() noexcept { host_ended_ = true; }
  /// The host takes no more: what comes for it is dropped.
  void host_deaf() noexcept;
  bool is_host_deaf() const noexcept { return host_deaf_; }
  /// The host's end reads and writes no more.
  void host_hung_up() noexcept { host_hung_up_ = true; }

  /// Flags of SHUTDOWN that the guest has sent so far.
  std::uint32_t guest_shut() const noexcept { return guest_shut_; }
  /// The guest has closed and the host has everything.
  bool is_finished() const noexcept { return guest_shut_ == shut_both && backlog.empty(); }
  /// From now on it only owes an RST.
  void reset() noexcept { phase_ = connection_phase::resetting; }
  /// Whether the guest has heard of it.
  bool is_known_to_guest() const noexcept {
    return phase_ != connection_phase::requesting || request_sent_;
  }

  unique_fd host;        ///< None before `opened` and once the host is done.
  byte_queue backlog;    ///< Of the guest, not yet taken by the host.
  bool readable = false; ///< The host's end may have something to read.
  bool polls_writable = false;
  bool end_passed_on = false; ///< shutdown(SHUT_WR) was called.
  bool queued = false;        ///< It waits for its turn to send.
  bool large_window = false;
  std::uint32_t request_id = 0; ///< The service's, while it waits for an answer; else 0.
  time_point deadline = never;  ///< The wait for the guest's answer, or for its end.
  time_point ask_again = never; ///< When to repeat CREDIT_REQUEST.

private:
  verdict receive_data(std::uint32_t length) noexcept;
  verdict receive_in_order(const packet_header& packet) noexcept;
  std::uint32_t wanted_shut() const noexcept;
  bool may_read_host() const noexcept;

  connection_key key_;
  connection_phase phase_;
  bool request_sent_ = false;
  bool owes_response_;
  bool owes_credit_ = false;
  bool owes_credit_request_ = false;
  bool host_ended_ = false;
  bool host_deaf_ = false;
  bool host_hung_up_ = false;
  std::uint32_t guest_shut_ = 0;
  std::uint32_t sent_shut_ = 0;
  send_credit to_guest_;
  receive_credit from_guest_;
};

} // namespace crosvisor::io::vsock
