// SPDX-License-Identifier: Apache-2.0
// Readers for those values of the daemon's configuration that VMs' have none of.
#pragma once

#include "crosvisor/io/config/config_field.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace crosvisor {

/// Whole seconds.
io::check read_seconds(const io::json_value& value, const std::string& path, std::uint32_t low,
                       std::uint32_t high, std::chrono::milliseconds& target);

/// A count, into whatever holds counts.
template <class Count>
io::check read_count(const io::json_value& value, const std::string& path, std::uint32_t low,
                     std::uint32_t high, Count& target, std::uint32_t unit = 1) {
  std::uint32_t count = 0;
  if (auto problem = io::read_whole(value, path, low, high, count))
    return problem;
  target = static_cast<Count>(count) * unit;
  return std::nullopt;
}

/// An absolute path: a daemon has no working directory that counts.
io::check read_absolute_path(const io::json_value& value, const std::string& path,
                             std::string& target);

/// A socket's mode, as text of octal digits: "0600" to "0666", nothing to execute.
io::check read_socket_mode(const io::json_value& value, const std::string& path,
                           std::optional<std::uint32_t>& target);

/// A user's name or number.
io::check read_user(const io::json_value& value, const std::string& path,
                    std::optional<std::uint32_t>& target);

/// A group's name or number.
io::check read_group(const io::json_value& value, const std::string& path,
                     std::optional<std::uint32_t>& target);

/// An address to listen on: "192.0.2.1:7443" or "[2001:db8::1]:7443".
io::check read_listen_address(const io::json_value& value, const std::string& path,
                              std::string& address, std::uint16_t& port);

/// Lists of users and groups, by name or by number; what they hold is added to `target`.
io::check read_user_names(const io::json_value& value, const std::string& path,
                          std::vector<std::uint32_t>& target);
io::check read_group_names(const io::json_value& value, const std::string& path,
                           std::vector<std::uint32_t>& target);
io::check read_ids(const io::json_value& value, const std::string& path,
                   std::vector<std::uint32_t>& target);

/// A list of certificates' subjects.
io::check read_subjects(const io::json_value& value, const std::string& path,
                        std::vector<std::string>& target);

} // namespace crosvisor
