// SPDX-License-Identifier: Apache-2.0
// Between the guest's packets, the host's sockets and the service.
#pragma once

#include "crosvisor/io/vsock/connection_table.hpp"
#include "crosvisor/io/vsock/packet.hpp"
#include "crosvisor/io/vsock/poller.hpp"
#include "crosvisor/io/vsock/report.hpp"
#include "crosvisor/io/vsock/service_channel.hpp"
#include "crosvisor/io/vsock/virtqueue.hpp"

#include <sys/uio.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace crosvisor::io::vsock {

/// How a look at a ring ended.
enum class ring_outcome : std::uint8_t {
  idle,    ///< Nothing more to do.
  more,    ///< Others' turn; come back.
  waiting, ///< No receive buffers; or, of packets, too many answers wait for those.
  broken,  ///< The guest broke the ring.
};

/// Carries streams. A round is: take_packets(), send_packets(); in between the host's events, the
/// service's messages and expire(). Everything that the guest can make grow is bounded: connections
/// and what each holds (connection_table), and the RSTs for unknown keys (reply_limit).
class switchboard {
public:
  using time_point = connection::time_point;

  /// RSTs for unknown connections that wait for receive buffers; then no more packets are taken.
  static constexpr std::size_t reply_limit = 256;
  /// What one round takes at most: packets and bytes of the guest, connections' turns to send.
  static constexpr std::size_t round_packets = 256;
  static constexpr std::size_t round_bytes = 1024 * 1024;
  static constexpr std::size_t round_turns = 64;
  /// How long a guest may take to end a connection that the host has ended, and a host to take what
  /// a guest sent before it closed. Linux itself gives up after 8.1 s.
  static constexpr std::chrono::seconds closing_time{8};
  /// When a guest without credit is asked for it, first and then again.
  static constexpr std::chrono::milliseconds first_ask{200};
  static constexpr std::chrono::milliseconds next_ask{1000};
  /// Ports that the guest may open, at most.
  static constexpr std::size_t port_limit = 65536;

  switchboard(std::uint64_t guest_cid, poller& poll, service_channel& service, report& log)
      : guest_cid_(guest_cid), poll_(poll), service_(service), log_(log) {}
  ~switchboard() { close_all(); }
  switchboard(const switchboard&) = delete;
  switchboard& operator=(const switchboard&) = delete;

  /// The time that everything until the next call counts from.
  void set_time(time_point now) noexcept { now_ = now; }

  // -- the guest -----------------------------------------------------------------

  /// Takes what the guest sent, passes it on and publishes its buffers.
  ring_outcome take_packets(virtqueue& tx);
  /// Sends what the guest is owed and what hosts have for it, each connection in its turn.
  ring_outcome send_packets(virtqueue& rx);
  bool replies_are_full() const noexcept { return replies_.size() >= reply_limit; }
  /// Another driver: all that the former knew is over.
  void forget_driver();
  /// While the guest stands still, so do the clocks that wait for it.
  void pause() noexcept;
  void resume() noexcept;

  // -- the host ------------------------------------------------------------------

  /// `events` of epoll on the connection's descriptor.
  void host_event(connection_table::token which, std::uint32_t events);
  /// Does what the service has asked for, `most` messages at a time. False once there is no more
  /// for now, or service_failure() says why it ended.
  bool read_service(int most);
  /// A message that was none of a service's.
  const std::optional<failure>& service_failure() const noexcept { return service_failure_; }
  /// Gives hosts what is buffered for them, as long as they take it and for `limit` at most;
  /// blocks, and looks at the real clock.
  void flush_hosts(std::chrono::milliseconds limit);
  /// Ends every host's end.
  void close_all();

  // -- time ----------------------------------------------------------------------

  /// Ends what has waited too long.
  void expire();
  /// When expire() has something to do; connection::never for not at all.
  time_point next_timer() const noexcept { return next_timer_; }

  std::size_t connections() const noexcept { return table_.size(); }

private:
  // Of one connection, to go to its host in one call; the pieces lie in guest memory.
  struct payload_batch {
    connection* to = nullptr;
    std::vector<iovec> pieces;
    std::size_t bytes = 0;
  };

  // switchboard_packets.cpp
  void take_packet(const buffer_chain& chain);
  void packet_without_connection(const packet_header& packet);
  void open(const packet_header& packet);
  void opened(connection& which);
  void add_to_batch(connection& to, std::uint32_t length);
  void flush_batch();
  void reply(const packet_header& packet);

  // switchboard_turns.cpp
  ring_outcome put(virtqueue& rx, const packet_header& packet);
  ring_outcome pop(virtqueue& rx, buffer_chain& chain);
  ring_outcome serve(virtqueue& rx, connection& which);
  ring_outcome send_owed(virtqueue& rx, connection& which);
  ring_outcome send_data(virtqueue& rx, connection& which);
  ring_outcome collect_buffers(virtqueue& rx, std::size_t wanted);
  void fill_buffers(virtqueue& rx, connection& which, std::size_t bytes);
  void was_sent(connection& which, const packet_header& packet);
  void mind_stall(connection& which);

  // switchboard_service.cpp
  void service_message(const channel_message& message);
  void listen(std::uint32_t port);
  void connect(const channel_message& message);
  void abandon(std::uint32_t id);
  bool serves(std::uint32_t port);
  connection_key unused_key(std::uint32_t guest_port) noexcept;

  // switchboard.cpp
  bool attach(connection& which, message_kind kind);
  void detach(connection& which);
  void write_backlog(connection& which);
  void poll_writable(connection& which, bool wanted);
  void settle(connection& which);
  void look_after(connection& which);
  void reset(connection& which, int error);
  void remove(connection& which, int error);
  void refuse(connection& which, int error);
  void expire(connection& which);
  void schedule(time_point when) noexcept;

  std::uint64_t guest_cid_;
  poller& poll_;
  service_channel& service_;
  report& log_;
  time_point now_{};
  time_point paused_at_{};
  bool paused_ = true;
  time_point next_timer_ = connection::never;
  connection_table table_;
  std::vector<std::uint32_t> ports_; // Sorted.
  std::optional<failure> service_failure_;
  std::uint32_t next_host_port_ = 1u << 30;
  std::deque<packet_header> replies_;
  payload_batch batch_;
  std::vector<iovec> pieces_; // Of the chains in hand.
  std::vector<buffer_chain> chains_;
  std::vector<iovec> payload_;
  unsigned short_buffers_ = 0;
};

} // namespace crosvisor::io::vsock
