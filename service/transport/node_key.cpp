// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/transport/node_key.hpp"

#include <caf/atom.hpp>

#include <algorithm>
#include <string_view>

namespace crosvisor::transport {

namespace {

bool valid(const node_key& key) {
  return key.pid != 0
         && std::any_of(key.host.begin(), key.host.end(), [](auto byte) { return byte != 0; });
}

} // namespace

std::optional<node_key> read_node_key(wire_reader& from) noexcept {
  auto kind = from.integer(8);
  if (!kind || *kind != static_cast<std::uint64_t>(caf::node_id::default_data::class_id))
    return std::nullopt;
  auto pid = from.integer(4);
  node_key key;
  auto host = from.raw(key.host.size());
  if (!pid || !host)
    return std::nullopt;
  key.pid = static_cast<std::uint32_t>(*pid);
  std::copy(host->begin(), host->end(), key.host.begin());
  if (!valid(key))
    return std::nullopt;
  return key;
}

std::optional<node_key> to_node_key(const caf::node_id& id) noexcept {
  if (!id || id->implementation_id() != caf::node_id::default_data::class_id)
    return std::nullopt;
  const auto& data = static_cast<const caf::node_id::default_data&>(*id);
  return node_key{data.process_id(), data.host_id()};
}

std::size_t node_key_hash::operator()(const node_key& key) const noexcept {
  std::string_view host{reinterpret_cast<const char*>(key.host.data()), key.host.size()};
  return std::hash<std::string_view>{}(host) ^ key.pid;
}

} // namespace crosvisor::transport
