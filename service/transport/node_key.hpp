// SPDX-License-Identifier: Apache-2.0
// How a CAF process names itself.
#pragma once

#include "crosvisor/service/transport/wire_reader.hpp"

#include <caf/node_id.hpp>

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace crosvisor::transport {

/// A node id of CAF's default kind (node_id::default_data): a process id and a hash of the host's,
/// whose last byte counts the actor systems of a process. Another kind is nobody's.
struct node_key {
  std::uint32_t pid = 0;
  std::array<std::uint8_t, 20> host = {};

  friend bool operator==(const node_key&, const node_key&) = default;
};

/// What a node_key takes on the wire: the kind's name, the process id, the host.
inline constexpr std::size_t node_key_bytes = 32;

/// The next node id; nothing where there is none of the default kind, or an invalid one.
std::optional<node_key> read_node_key(wire_reader& from) noexcept;

/// Nothing for another kind.
std::optional<node_key> to_node_key(const caf::node_id& id) noexcept;

struct node_key_hash {
  std::size_t operator()(const node_key& key) const noexcept;
};

} // namespace crosvisor::transport
