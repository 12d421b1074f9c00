// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/transport/basp_guard.hpp"

#include <caf/atom.hpp>

#include <algorithm>
#include <utility>

namespace crosvisor::transport {

namespace {

/// The upper four bits of caf/message_id.hpp: an answer, answered, and two of category, of which 1
/// is a normal message.
std::uint64_t kind_of(std::uint64_t message_id) {
  return message_id >> 60;
}

constexpr std::uint64_t unasked = 0x1;

constexpr auto spawn_server = static_cast<std::uint64_t>(caf::atom("SpawnServ"));

/// A message's stages, to which its answer would be passed on, and the types of its elements.
std::optional<std::string_view> start_of_message(wire_reader& payload) {
  auto stages = payload.sequence();
  return stages && *stages == 0 ? payload.message_types() : std::nullopt;
}

} // namespace

verdict basp_guard::header(std::string_view bytes) {
  auto header = read_basp_header(bytes);
  if (!header)
    return close("a header that is none");
  if (header->payload_bytes > limit_)
    return close("a message that is too big");
  header_ = *header;
  auto empty = header_.payload_bytes == 0;
  if (header_.operation == basp_operation::heartbeat)
    return empty ? verdict::skip : close("a sign of life with a payload");
  if (header_.operation == basp_operation::refusal) {
    refused_ = empty && !greeted();
    return close(refused_ ? "a refusal" : "a refusal that is none");
  }
  // CAF follows the null pointer that it has for an empty payload.
  return empty ? close("a message without a payload") : judge_header(header_);
}

verdict basp_guard::payload(std::string_view bytes) {
  if (bytes.size() != header_.payload_bytes)
    return close("a payload that is not as long as its header says");
  return judge_payload(header_, wire_reader{bytes});
}

service_guard::service_guard(std::shared_ptr<const terms> allowed,
                             std::shared_ptr<node_table> nodes, std::shared_ptr<io::outflow> to)
    : basp_guard(allowed->message_bytes),
      allowed_(std::move(allowed)),
      nodes_(std::move(nodes)),
      to_(std::move(to)) {}

service_guard::~service_guard() {
  if (peer_ && !handed_over_)
    nodes_->free(*peer_);
}

void service_guard::identify(const caller& who, std::vector<std::uint32_t> process_ids) {
  who_ = who;
  process_ids_ = std::move(process_ids);
}

verdict service_guard::judge_header(const basp_header& header) {
  if (!who_)
    return close("a message of nobody");
  if (header.operation == basp_operation::client_handshake)
    return header.payload_bytes == node_key_bytes && header.source_actor == 0
               && header.dest_actor == 0
             ? verdict::pass
             : close("a handshake that is none");
  if (!greeted())
    return close("a message before the handshake");
  switch (header.operation) {
    case basp_operation::direct_message:
      if (header.flags == basp_header::named_receiver && header.dest_actor == spawn_server)
        return verdict::skip;
      if (header.flags != 0 || header.dest_actor != allowed_->door)
        return close("a message to somebody else than the door");
      if (header.source_actor == 0)
        return close("a message without a sender");
      return kind_of(header.data) == unasked ? verdict::pass : close("a message of another kind");
    case basp_operation::monitor_message:
      return header.data == 0 && header.flags == 0 ? verdict::pass : close("a bad monitor message");
    case basp_operation::down_message:
      return header.source_actor != 0 && header.dest_actor == 0 && header.data == 0
                 && header.flags == 0
               ? verdict::pass
               : close("a bad down message");
    default: return close("an operation that is not a client's");
  }
}

verdict service_guard::judge_payload(const basp_header& header, wire_reader payload) {
  switch (header.operation) {
    case basp_operation::client_handshake: return judge_handshake(payload);
    case basp_operation::direct_message: return judge_message(header, payload);
    case basp_operation::monitor_message: return judge_monitor(header, payload);
    case basp_operation::down_message: return judge_down(header, payload);
    default: return close("a payload of nothing");
  }
}

verdict service_guard::judge_handshake(wire_reader payload) {
  auto node = read_node_key(payload);
  if (!node)
    return close("a handshake without a node id");
  if (peer_)
    return *node == *peer_ ? verdict::skip : close("a second node id");
  if (*node == allowed_->own)
    return close("the service's own node id");
  if (!process_ids_.empty()
      && std::find(process_ids_.begin(), process_ids_.end(), node->pid) == process_ids_.end())
    return close("the node id of another process");
  switch (nodes_->bind(*node, *who_, to_)) {
    case node_table::answer::bound: break;
    case node_table::answer::in_use: return close("a node id that is in use");
    case node_table::answer::anothers: return close("a node id that was another's lately");
  }
  peer_ = node;
  return verdict::pass;
}

verdict service_guard::judge_message(const basp_header& header, wire_reader payload) {
  auto types = start_of_message(payload);
  if (!types)
    return close("a message that is none, or is to be passed on");
  if (header.flags != 0)
    return *types == "@<>+@atom+@atom+@str" ? verdict::skip : close("a bad spawn server message");
  if (!allowed_->shapes.contain(*types, payload))
    return close("a message that the door does not know");
  if (actors_.count(header.source_actor) == 0 && actors_.size() >= max_client_actors)
    return close("messages of too many actors");
  actors_.insert(header.source_actor);
  return verdict::pass;
}

verdict service_guard::judge_monitor(const basp_header& header, wire_reader payload) {
  if (!between_us(payload) || payload.remaining() != 0)
    return close("a monitor message of or for another node");
  return header.dest_actor == allowed_->door ? verdict::pass : verdict::skip;
}

verdict service_guard::judge_down(const basp_header& header, wire_reader payload) {
  if (!between_us(payload))
    return close("a down message of or for another node");
  wire_check check{payload};
  if (!check.value(caf::error{}) || payload.remaining() != 0)
    return close("a down message with a bad reason");
  actors_.erase(header.source_actor);
  return verdict::pass;
}

bool service_guard::between_us(wire_reader& payload) const {
  return read_node_key(payload) == peer_ && read_node_key(payload) == allowed_->own;
}

} // namespace crosvisor::transport
