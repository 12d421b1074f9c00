// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/vsock/connection.hpp"

namespace crosvisor::io::vsock {

using phase = connection_phase;

verdict connection::receive(const packet_header& packet) noexcept {
  if (packet.op == packet_op::rst)
    return verdict::gone;
  // The RST under way answers all else.
  if (phase_ == phase::resetting)
    return verdict::none;
  learn_credit(packet);
  return receive_in_order(packet);
}

verdict connection::receive_in_order(const packet_header& packet) noexcept {
  auto requesting = phase_ == phase::requesting;
  switch (packet.op) {
    case packet_op::request: return verdict::violation;
    case packet_op::response:
      if (!requesting || !request_sent_)
        return verdict::violation;
      phase_ = phase::established;
      return verdict::opened;
    case packet_op::rw: return receive_data(packet.len);
    case packet_op::shutdown:
      if (requesting)
        return verdict::violation;
      guest_shut_ |= packet.flags & shut_both;
      return verdict::shut;
    case packet_op::credit_request: owes_credit_ = true; return verdict::none;
    default: return verdict::none; // CREDIT_UPDATE; what Linux ignores as well.
  }
}

verdict connection::receive_data(std::uint32_t length) noexcept {
  if (phase_ == phase::requesting || (guest_shut_ & shut_send) != 0 || !from_guest_.take(length))
    return verdict::violation;
  return length == 0 ? verdict::none : verdict::data;
}

// What the guest ought to know about the directions that have ended.
std::uint32_t connection::wanted_shut() const noexcept {
  auto all_received = (guest_shut_ & shut_send) != 0 && backlog.empty();
  auto all_sent = host_ended_ || (guest_shut_ & shut_receive) != 0;
  if (all_sent && (host_hung_up_ || all_received))
    return shut_both;
  return (all_sent ? shut_send : 0) | (host_deaf_ ? shut_receive : 0);
}

std::optional<packet_header> connection::owed() const noexcept {
  if (phase_ == phase::resetting)
    return header(packet_op::rst);
  if (phase_ == phase::requesting)
    return request_sent_ ? std::nullopt : std::optional{header(packet_op::request)};
  if (owes_response_)
    return header(packet_op::response);
  if (auto shut = wanted_shut() | sent_shut_; shut != sent_shut_) {
    auto packet = header(packet_op::shutdown);
    packet.flags = shut;
    return packet;
  }
  // A guest that was told of both ends answers anything more by an RST.
  if (phase_ == phase::closing)
    return std::nullopt;
  if (owes_credit_ || from_guest_.update_due())
    return header(packet_op::credit_update);
  if (owes_credit_request_)
    return header(packet_op::credit_request);
  return std::nullopt;
}

packet_header connection::header(packet_op op) const noexcept {
  packet_header packet;
  packet.src_cid = host_cid;
  packet.src_port = key_.host_port;
  packet.dst_port = key_.guest_port;
  packet.op = op;
  packet.buf_alloc = from_guest_.window();
  packet.fwd_cnt = from_guest_.forwarded();
  return packet;
}

bool connection::sent(const packet_header& packet) noexcept {
  from_guest_.announce();
  owes_credit_ = false; // Every packet tells the credit.
  switch (packet.op) {
    case packet_op::request: request_sent_ = true; break;
    case packet_op::response: owes_response_ = false; break;
    case packet_op::credit_request: owes_credit_request_ = false; break;
    case packet_op::rw: to_guest_.sent(packet.len); break;
    case packet_op::shutdown:
      sent_shut_ |= packet.flags;
      if (sent_shut_ == shut_both)
        phase_ = phase::closing;
      break;
    default: break;
  }
  return packet.op == packet_op::rst;
}

bool connection::may_read_host() const noexcept {
  return phase_ == phase::established && readable && !host_ended_
         && (guest_shut_ & shut_receive) == 0;
}

bool connection::wants_data() noexcept {
  return may_read_host() && to_guest_.usable() > 0;
}

void connection::host_deaf() noexcept {
  host_deaf_ = true;
  forward(backlog.size());
  backlog.clear();
}

} // namespace crosvisor::io::vsock
