// SPDX-License-Identifier: Apache-2.0
// From the guest: packets, and what they do.
#include "crosvisor/io/vsock/host_socket.hpp"
#include "crosvisor/io/vsock/switchboard.hpp"

#include <sys/uio.h>

#include <algorithm>
#include <climits>

namespace crosvisor::io::vsock {

ring_outcome switchboard::take_packets(virtqueue& tx) {
  auto outcome = ring_outcome::more;
  std::size_t packets = 0;
  std::size_t bytes = 0;
  while (outcome == ring_outcome::more && packets < round_packets && bytes < round_bytes) {
    if (replies_are_full()) {
      outcome = ring_outcome::waiting;
      break;
    }
    pieces_.clear();
    buffer_chain chain;
    switch (tx.pop(pieces_, chain)) {
      case pop_result::empty: outcome = ring_outcome::idle; break;
      case pop_result::broken: outcome = ring_outcome::broken; break;
      case pop_result::popped:
        take_packet(chain);
        tx.push(chain.head, 0);
        ++packets;
        bytes += chain.bytes;
    }
  }
  // The guest may reuse its buffers only when their payload was copied or sent.
  flush_batch();
  if (packets > 0)
    tx.publish();
  return outcome;
}

void switchboard::take_packet(const buffer_chain& chain) {
  if (chain.bytes < packet_header_size)
    return;
  packet_header_bytes bytes;
  copy_from_pieces(pieces_, bytes);
  auto packet = decode(bytes);
  if (packet.len > chain.bytes - packet_header_size || packet.len > max_payload
      || packet.src_cid != guest_cid_ || packet.dst_cid != host_cid)
    return;
  if (packet.type != stream_type) {
    reply(packet);
    return;
  }
  auto* which = table_.find({packet.dst_port, packet.src_port});
  // What came before is passed on first.
  if (batch_.to != nullptr && (batch_.to != which || packet.op != packet_op::rw))
    flush_batch();
  if (which == nullptr) {
    packet_without_connection(packet);
    return;
  }
  switch (which->receive(packet)) {
    case verdict::none: look_after(*which); break;
    case verdict::data: add_to_batch(*which, packet.len); break;
    case verdict::opened: opened(*which); break;
    case verdict::shut: settle(*which); break;
    case verdict::violation:
      flush_batch();
      reset(*which, ECONNREFUSED);
      break;
    case verdict::gone: remove(*which, ECONNREFUSED); break;
  }
}

void switchboard::packet_without_connection(const packet_header& packet) {
  if (packet.op == packet_op::request)
    open(packet);
  else
    reply(packet);
}

// An RST for a packet; never for an RST, and one for many packets of one connection.
void switchboard::reply(const packet_header& packet) {
  auto rst = rst_for(packet);
  if (packet.op != packet_op::rst
      && std::find(replies_.begin(), replies_.end(), rst) == replies_.end())
    replies_.push_back(rst);
}

void switchboard::open(const packet_header& packet) {
  connection_key key{packet.dst_port, packet.src_port};
  // Reading what is served may make a connection with just this key.
  if (packet.src_port > max_port || !serves(packet.dst_port) || table_.find(key) != nullptr
      || service_.is_full()) {
    reply(packet);
    return;
  }
  if (table_.is_full()) {
    log_.line("guest has " + std::to_string(table_.size()) + " connections and gets no more");
    reply(packet);
    return;
  }
  auto& which = table_.add(key, connection_phase::established);
  which.learn_credit(packet);
  if (attach(which, message_kind::opened))
    table_.enqueue(which);
  else
    reset(which, EMFILE);
}

void switchboard::opened(connection& which) {
  which.deadline = connection::never;
  if (attach(which, message_kind::connected))
    look_after(which);
  else
    reset(which, EMFILE);
}

void switchboard::add_to_batch(connection& to, std::uint32_t length) {
  if (!to.host || to.is_host_deaf()) {
    to.forward(length);
    look_after(to);
    return;
  }
  if (batch_.pieces.size() + pieces_.size() > IOV_MAX)
    flush_batch();
  batch_.to = &to;
  batch_.bytes += length;
  slice_pieces(pieces_, packet_header_size, length, batch_.pieces);
}

void switchboard::flush_batch() {
  if (batch_.to == nullptr)
    return;
  auto& to = *batch_.to;
  transfer sent;
  if (to.backlog.empty() && !to.is_host_deaf() && to.host)
    sent = send_pieces(to.host.get(), batch_.pieces);
  to.forward(sent.bytes);
  if (sent.failed) {
    to.host_deaf();
  } else if (sent.bytes < batch_.bytes) {
    to.backlog.append(batch_.pieces, sent.bytes);
    poll_writable(to, true);
  }
  if (sent.failed)
    to.forward(batch_.bytes - sent.bytes);
  batch_.to = nullptr;
  batch_.pieces.clear();
  batch_.bytes = 0;
  look_after(to);
}

} // namespace crosvisor::io::vsock
