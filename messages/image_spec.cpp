// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/messages/image_spec.hpp"

#include <array>
#include <utility>

namespace crosvisor {

namespace {

constexpr std::array<std::pair<partition_type, const char*>, 4> type_names{{
  {partition_type::raw, "raw"},
  {partition_type::instance, "instance"},
  {partition_type::encryptedstore, "encryptedstore"},
  {partition_type::qcow2, "qcow2"},
}};

} // namespace

std::optional<std::string> find_problem(const partition_spec& spec) {
  if (spec.size_bytes == 0)
    return "size: 0; a partition has at least one byte";
  if (spec.size_bytes > max_partition_bytes)
    return "size: " + std::to_string(spec.size_bytes) + " bytes; at most "
           + std::to_string(max_partition_bytes) + " are allowed, so that a disk has room for it";
  return std::nullopt;
}

std::string to_string(partition_type type) {
  for (const auto& [key, name] : type_names)
    if (key == type)
      return name;
  return "invalid";
}

std::optional<partition_type> parse_partition_type(const std::string& word) {
  for (const auto& [key, name] : type_names)
    if (word == name)
      return key;
  return std::nullopt;
}

} // namespace crosvisor
