// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/transport/unix_peer.hpp"

#include <charconv>
#include <fstream>
#include <sstream>
#include <string_view>

namespace crosvisor::transport {

std::vector<std::uint32_t> process_ids_of(const caller& peer) {
  if (peer.pid <= 0)
    return {};
  std::vector<std::uint32_t> ids{static_cast<std::uint32_t>(peer.pid)};
  std::ifstream file{"/proc/" + std::to_string(peer.pid) + "/status"};
  std::ostringstream status;
  status << file.rdbuf();
  auto own = innermost_process_id(status.str());
  if (own && *own != ids.front())
    ids.push_back(*own);
  return ids;
}

std::optional<std::uint32_t> innermost_process_id(const std::string& status) {
  constexpr std::string_view name = "\nNSpid:";
  auto start = status.find(name);
  if (start == std::string::npos)
    return std::nullopt;
  start += name.size();
  auto line = std::string_view{status}.substr(start, status.find('\n', start) - start);
  auto last = line.find_last_of("\t ");
  if (last == std::string_view::npos)
    return std::nullopt;
  line.remove_prefix(last + 1);
  std::uint32_t id = 0;
  auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), id);
  if (error != std::errc{} || end != line.data() + line.size() || id == 0)
    return std::nullopt;
  return id;
}

} // namespace crosvisor::transport
