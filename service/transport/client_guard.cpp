// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/transport/basp_guard.hpp"

#include <utility>

namespace crosvisor::transport {

namespace {

constexpr std::uint64_t unasked = 0x1;
constexpr std::uint64_t answer = 0x9;

constexpr std::uint32_t max_handshake_bytes = 64u << 10;

/// The node, the applications that it speaks for, its actor and what that handles.
std::optional<node_key> read_server_handshake(wire_reader payload) {
  auto node = read_node_key(payload);
  wire_check check{payload};
  const std::vector<std::string> words;
  if (!check.value(words) || !payload.integer(8) || !check.value(words) || payload.remaining() != 0)
    return std::nullopt;
  return node;
}

} // namespace

client_guard::client_guard(std::shared_ptr<const terms> allowed)
    : basp_guard(allowed->message_bytes), allowed_(std::move(allowed)) {}

verdict client_guard::judge_header(const basp_header& header) {
  if (header.operation == basp_operation::server_handshake)
    return !greeted() && header.data != 0 && header.payload_bytes <= max_handshake_bytes
             ? verdict::pass
             : close("a handshake that is none");
  if (!greeted())
    return close("a message before the handshake");
  switch (header.operation) {
    case basp_operation::direct_message: {
      auto kind = header.data >> 60;
      return header.flags == 0 && header.dest_actor != 0 && (kind == unasked || kind == answer)
               ? verdict::pass
               : close("a message that nobody awaits");
    }
    case basp_operation::monitor_message:
      return header.data == 0 && header.flags == 0 ? verdict::pass : close("a bad monitor message");
    case basp_operation::down_message:
      return header.source_actor != 0 && header.dest_actor == 0 && header.data == 0
                 && header.flags == 0
               ? verdict::pass
               : close("a bad down message");
    default: return close("an operation that is not a service's");
  }
}

verdict client_guard::judge_payload(const basp_header& header, wire_reader payload) {
  if (header.operation == basp_operation::server_handshake)
    return judge_handshake(payload);
  if (header.operation == basp_operation::direct_message)
    return judge_message(header, payload);
  if (read_node_key(payload) != peer_ || read_node_key(payload) != allowed_->own)
    return close("a message of or for another node");
  wire_check check{payload};
  if (header.operation == basp_operation::down_message && !check.value(caf::error{}))
    return close("a down message with a bad reason");
  return payload.remaining() == 0 ? verdict::pass : close("a message that is too long");
}

verdict client_guard::judge_handshake(wire_reader payload) {
  auto node = read_server_handshake(payload);
  if (!node || *node == allowed_->own)
    return close("a handshake that is none");
  peer_ = node;
  return verdict::pass;
}

verdict client_guard::judge_message(const basp_header& header, wire_reader payload) {
  auto stages = payload.sequence();
  auto types = stages && *stages == 0 ? payload.message_types() : std::nullopt;
  const auto& shapes = header.data >> 60 == answer ? allowed_->answers : allowed_->telegrams;
  return types && shapes.contain(*types, payload) ? verdict::pass
                                                  : close("a message that is not the door's");
}

} // namespace crosvisor::transport
