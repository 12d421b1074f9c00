// SPDX-License-Identifier: Apache-2.0
// One request of a service to a keeper, and the descriptors that answer it.
#pragma once

#include "crosvisor/io/backend.hpp"
#include "crosvisor/io/descriptor_set.hpp"
#include "crosvisor/io/keeper/value_arrays.hpp"
#include "crosvisor/io/result.hpp"
#include "crosvisor/io/tickets/descriptor_packet.hpp"
#include "crosvisor/io/unique_fd.hpp"

#include <nlohmann/json.hpp>

#include <fcntl.h>

#include <cstdint>
#include <utility>
#include <vector>

namespace crosvisor::io {

/// A duplicate; none where there is no socket, or no descriptor left.
inline std::vector<unique_fd> copy_of(const stream_socket& socket) {
  std::vector<unique_fd> fds;
  if (socket && *socket)
    if (unique_fd copy{::fcntl(socket->get(), F_DUPFD_CLOEXEC, 3)})
      fds.push_back(std::move(copy));
  return fds;
}

/// Duplicates of as many as a packet takes, from that one on.
inline result<std::vector<unique_fd>> copies_of(const descriptor_set& files, std::uint64_t first) {
  std::vector<unique_fd> copies;
  for (auto i = first; i < files.size() && copies.size() < max_packet_descriptors; ++i) {
    unique_fd copy{::fcntl(files.get(static_cast<std::uint32_t>(i)), F_DUPFD_CLOEXEC, 3)};
    if (!copy)
      return last_failure("duplicate a VM's descriptors");
    copies.push_back(std::move(copy));
  }
  return copies;
}

/// What a service asks its keeper for, as it is read.
struct keeper_request {
  nlohmann::json asked;
  std::vector<unique_fd> fds;
  std::uint64_t id = 0; ///< 0: there is none.

  /// False: it isn't there, or is none in its range.
  template <class T>
  bool read(const char* key, T& to) const {
    auto found = asked.find(key);
    value_reader values;
    return found != asked.end() && values.read(*found, to, key);
  }
};

} // namespace crosvisor::io
