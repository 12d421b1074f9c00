// SPDX-License-Identifier: Apache-2.0
// To the guest: whose turn it is, and what goes into the receive buffers.
#include "crosvisor/io/vsock/host_socket.hpp"
#include "crosvisor/io/vsock/switchboard.hpp"

#include <algorithm>
#include <climits>

namespace crosvisor::io::vsock {

namespace {

// A buffer with room for a header and a byte; a guest with many smaller ones is broken.
constexpr std::uint64_t shortest_buffer = packet_header_size + 1;
constexpr unsigned short_buffer_limit = 16;
// One turn's data: bytes and buffers.
constexpr std::size_t turn_bytes = 64 * 1024;
constexpr std::size_t turn_buffers = 64;

} // namespace

ring_outcome switchboard::send_packets(virtqueue& rx) {
  while (!replies_.empty()) {
    if (auto done = put(rx, replies_.front()); done != ring_outcome::idle)
      return done;
    replies_.pop_front();
  }
  for (std::size_t turn = 0; turn < round_turns; ++turn) {
    auto* which = table_.dequeue();
    if (which == nullptr)
      return ring_outcome::idle;
    if (auto done = serve(rx, *which); done != ring_outcome::idle) {
      table_.enqueue(*which);
      return done;
    }
  }
  return table_.has_queued() ? ring_outcome::more : ring_outcome::idle;
}

// The next receive buffer that is long enough.
ring_outcome switchboard::pop(virtqueue& rx, buffer_chain& chain) {
  for (;;) {
    auto before = pieces_.size();
    switch (rx.pop(pieces_, chain)) {
      case pop_result::empty: return ring_outcome::waiting;
      case pop_result::broken: return ring_outcome::broken;
      case pop_result::popped: break;
    }
    if (chain.bytes >= shortest_buffer)
      return ring_outcome::idle;
    // Those before it are not given back once this is used.
    if (!chains_.empty()) {
      rx.unpop(1);
      pieces_.resize(before);
      return ring_outcome::waiting;
    }
    rx.push(chain.head, 0);
    rx.publish();
    pieces_.resize(before);
    if (++short_buffers_ > short_buffer_limit)
      return ring_outcome::broken;
  }
}

ring_outcome switchboard::put(virtqueue& rx, const packet_header& packet) {
  pieces_.clear();
  chains_.clear();
  buffer_chain chain;
  if (auto got = pop(rx, chain); got != ring_outcome::idle)
    return got;
  auto addressed = packet;
  addressed.dst_cid = guest_cid_;
  copy_to_pieces(encode(addressed), pieces_);
  rx.push(chain.head, packet_header_size);
  rx.publish();
  return ring_outcome::idle;
}

// One turn; afterwards `which` may be gone, if the outcome is idle.
ring_outcome switchboard::serve(virtqueue& rx, connection& which) {
  auto token = table_.token_of(which);
  if (auto done = send_owed(rx, which); done != ring_outcome::idle)
    return done;
  if (table_.at(token) == nullptr)
    return ring_outcome::idle;
  if (which.wants_data())
    if (auto done = send_data(rx, which); done != ring_outcome::idle)
      return done;
  look_after(which);
  return ring_outcome::idle;
}

ring_outcome switchboard::send_owed(virtqueue& rx, connection& which) {
  while (auto packet = which.owed()) {
    if (auto done = put(rx, *packet); done != ring_outcome::idle)
      return done;
    if (which.sent(*packet)) {
      remove(which, ECONNRESET);
      break;
    }
    was_sent(which, *packet);
  }
  return ring_outcome::idle;
}

void switchboard::was_sent(connection& which, const packet_header& packet) {
  if (packet.op != packet_op::shutdown || which.phase() != connection_phase::closing)
    return;
  // Neither end has more to say; the guest is to answer with an RST.
  detach(which);
  which.deadline = now_ + closing_time;
  schedule(which.deadline);
}

void switchboard::mind_stall(connection& which) {
  if (which.ask_again != connection::never || !which.is_stalled())
    return;
  which.ask_again = now_ + first_ask;
  schedule(which.ask_again);
}

ring_outcome switchboard::collect_buffers(virtqueue& rx, std::size_t wanted) {
  pieces_.clear();
  chains_.clear();
  payload_.clear();
  std::size_t room = 0;
  auto outcome = ring_outcome::idle;
  while (room < wanted && chains_.size() < turn_buffers && payload_.size() < IOV_MAX / 2) {
    buffer_chain chain;
    outcome = pop(rx, chain);
    if (outcome != ring_outcome::idle)
      break;
    auto part = std::min(wanted - room, static_cast<std::size_t>(chain.bytes - packet_header_size));
    auto pieces = std::span{pieces_}.subspan(chain.first, chain.count);
    slice_pieces(pieces, packet_header_size, part, payload_);
    room += part;
    chains_.push_back(chain);
  }
  // What there is will do.
  return chains_.empty() || outcome == ring_outcome::broken ? outcome : ring_outcome::idle;
}

ring_outcome switchboard::send_data(virtqueue& rx, connection& which) {
  auto wanted = std::min<std::size_t>(which.usable_credit(), turn_bytes);
  if (auto outcome = collect_buffers(rx, wanted); outcome != ring_outcome::idle)
    return outcome;
  auto got = receive_pieces(which.host.get(), payload_);
  // Fewer bytes than there was room for need not be all: a receive stops at descriptors that the
  // other end has sent, too.
  which.readable = got.bytes > 0;
  if (got.ended)
    which.host_ended();
  if (got.failed) {
    which.host_ended();
    which.host_hung_up();
  }
  fill_buffers(rx, which, got.bytes);
  return ring_outcome::idle;
}

// Puts headers before `bytes` of payload, and gives back the buffers that have none.
void switchboard::fill_buffers(virtqueue& rx, connection& which, std::size_t bytes) {
  std::size_t filled = 0;
  for (; bytes > 0 && filled < chains_.size(); ++filled) {
    auto& chain = chains_[filled];
    auto part = std::min<std::uint64_t>(bytes, chain.bytes - packet_header_size);
    bytes -= part;
    auto packet = which.header(packet_op::rw);
    packet.dst_cid = guest_cid_;
    packet.len = static_cast<std::uint32_t>(part);
    copy_to_pieces(encode(packet), std::span{pieces_}.subspan(chain.first, chain.count));
    rx.push(chain.head, static_cast<std::uint32_t>(packet_header_size + part));
    which.sent(packet);
  }
  rx.unpop(static_cast<std::uint16_t>(chains_.size() - filled));
  if (filled > 0)
    rx.publish();
}

} // namespace crosvisor::io::vsock
