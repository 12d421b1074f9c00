// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/tests/service/transport/basp_bytes.hpp"

#include <unistd.h>

namespace crosvisor::tests::basp {

std::string number(std::uint64_t value, std::size_t bytes) {
  std::string written(bytes, '\0');
  for (auto i = bytes; i-- > 0; value >>= 8)
    written[i] = static_cast<char>(value & 0xff);
  return written;
}

std::string size_of(std::uint64_t size) {
  std::string written;
  for (; size > 0x7f; size >>= 7)
    written += static_cast<char>((size & 0x7f) | 0x80);
  return written + static_cast<char>(size);
}

std::string text(std::string_view content) {
  return size_of(content.size()).append(content);
}

std::string atom(caf::atom_value value) {
  return number(static_cast<std::uint64_t>(value), 8);
}

std::string node(const node_key& key) {
  return atom(caf::atom("default")) + number(key.pid, 4)
         + std::string{key.host.begin(), key.host.end()};
}

node_key own_node(std::uint8_t n) {
  node_key key;
  key.pid = static_cast<std::uint32_t>(::getpid());
  key.host.fill(0xb5);
  key.host.back() = n;
  return key;
}

std::string header(basp_header fields) {
  return number(static_cast<std::uint64_t>(fields.operation), 1) + number(0, 2)
         + number(fields.flags, 1) + number(fields.payload_bytes, 4) + number(fields.data, 8)
         + number(fields.source_actor, 8) + number(fields.dest_actor, 8);
}

std::string frame(basp_header fields, const std::string& payload) {
  fields.payload_bytes = static_cast<std::uint32_t>(payload.size());
  return header(fields) + payload;
}

std::string handshake(const node_key& from, std::uint8_t flags) {
  return frame({basp_operation::client_handshake, flags, 0, 0, 0, 0}, node(from));
}

std::string content(std::string_view types, std::string_view elements) {
  return (size_of(0) + number(0, 2) + text(types)).append(elements);
}

std::string message(std::uint64_t to, const std::string& payload, std::uint64_t id,
                    std::uint64_t from, std::uint8_t flags) {
  return frame({basp_operation::direct_message, flags, 0, id, from, to}, payload);
}

std::string list_content() {
  return content("@<>+@atom", atom(caf::atom("list")));
}

std::string monitor(const node_key& from, const node_key& to, std::uint64_t actor) {
  return frame({basp_operation::monitor_message, 0, 0, 0, 0, actor}, node(from) + node(to));
}

std::string down(const node_key& from, const node_key& to, std::uint64_t actor,
                 const std::string& reason) {
  return frame({basp_operation::down_message, 0, 0, 0, actor, 0}, node(from) + node(to) + reason);
}

std::string error(const std::string& context) {
  return number(2, 1) + atom(caf::atom("exit")) + context;
}

std::string nested(int depth) {
  auto layer = number(0, 2) + text("@<>+@message");
  std::string written;
  written.reserve(layer.size() * static_cast<std::size_t>(depth) + 8);
  for (int i = 0; i < depth; ++i)
    written += layer;
  return written + number(0, 2) + text("@<>");
}

std::string exit_content(const node_key& from) {
  return content("@<>+@exit", number(77, 8) + node(from) + error(number(0, 2) + text("@<>")));
}

} // namespace crosvisor::tests::basp
