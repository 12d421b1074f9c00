// SPDX-License-Identifier: Apache-2.0
// The header of CAF's protocol, as caf/io/basp/header.hpp (0.17) has it.
#pragma once

#include "crosvisor/service/transport/wire_reader.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace crosvisor::transport {

inline constexpr std::size_t basp_header_bytes = 32;

/// caf/io/basp/message_type.hpp, and one of our own.
enum class basp_operation : std::uint8_t {
  server_handshake,
  client_handshake,
  direct_message,
  routed_message,
  monitor_message,
  down_message,
  heartbeat,
  /// All that a service says to whom it does not admit; without a payload, and zero otherwise. CAF
  /// itself knows no such word: its end of a connection looks like that of a service which died.
  refusal = 0x80,
};

struct basp_header {
  static constexpr std::uint8_t named_receiver = 1;
  static constexpr std::uint8_t select_connection = 2;

  basp_operation operation = basp_operation::heartbeat;
  std::uint8_t flags = 0;
  std::uint32_t payload_bytes = 0;
  /// Of a message its message_id, of a server's handshake the protocol's version.
  std::uint64_t data = 0;
  std::uint64_t source_actor = 0;
  std::uint64_t dest_actor = 0;
};

/// Reads a header of exactly basp_header_bytes; nothing where the operation is unknown, the padding
/// used, or a flag unknown.
inline std::optional<basp_header> read_basp_header(std::string_view bytes) noexcept {
  wire_reader from{bytes};
  auto operation = from.integer(1);
  auto padding = from.integer(2);
  auto flags = from.integer(1);
  auto size = from.integer(4);
  auto data = from.integer(8);
  auto source = from.integer(8);
  auto dest = from.integer(8);
  auto known = [](std::uint64_t code) {
    return code <= static_cast<std::uint64_t>(basp_operation::heartbeat)
           || code == static_cast<std::uint64_t>(basp_operation::refusal);
  };
  if (!dest || from.remaining() != 0 || *padding != 0 || !known(*operation)
      || *flags > (basp_header::named_receiver | basp_header::select_connection))
    return std::nullopt;
  return basp_header{static_cast<basp_operation>(*operation),
                     static_cast<std::uint8_t>(*flags),
                     static_cast<std::uint32_t>(*size),
                     *data,
                     *source,
                     *dest};
}

/// A header of nothing but its operation, as it is sent.
inline std::string bare_basp_header(basp_operation operation) {
  std::string bytes(basp_header_bytes, '\0');
  bytes[0] = static_cast<char>(operation);
  return bytes;
}

} // namespace crosvisor::transport
