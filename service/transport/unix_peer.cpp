// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/transport/unix_peer.hpp"

#include "crosvisor/io/file_bytes.hpp"
#include "crosvisor/io/unique_fd.hpp"

#include <fcntl.h>

#include <charconv>
#include <string_view>

namespace crosvisor::transport {

namespace {

/// A status file holds all groups of its process, which may be NGROUPS_MAX.
constexpr std::size_t max_status_bytes = 1u << 20;

/// As far as it can be read.
std::string read_status(std::int32_t pid) {
  auto path = "/proc/" + std::to_string(pid) + "/status";
  io::unique_fd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  std::string status;
  char block[4096];
  while (file && status.size() < max_status_bytes) {
    auto size = io::read_some_at(file.get(), status.size(), block);
    if (!size || *size == 0)
      break;
    status.append(block, *size);
  }
  return status;
}

} // namespace

std::vector<std::uint32_t> process_ids_of(const caller& peer) {
  if (peer.pid <= 0)
    return {};
  std::vector<std::uint32_t> ids{static_cast<std::uint32_t>(peer.pid)};
  auto own = innermost_process_id(read_status(peer.pid));
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
