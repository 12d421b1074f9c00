// SPDX-License-Identifier: Apache-2.0
// GUIDs as GPT has them.
#pragma once

#include "crosvisor/io/result.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>

namespace crosvisor::io {

/// A GUID; the default is the one of zeros, which GPT has for "none".
struct guid {
  std::array<std::uint8_t, 16> bytes{}; ///< In the order in which they are spelled.

  auto operator<=>(const guid&) const = default;
};

/// The partition type of all partitions here: Linux filesystem data.
inline constexpr guid linux_filesystem_type{
  {0x0f, 0xc6, 0x3d, 0xaf, 0x84, 0x83, 0x47, 0x72, 0x8e, 0x79, 0x3d, 0x69, 0xd8, 0x47, 0x7d, 0xe4}};

/// One of version 4 (RFC 4122), from the kernel's random numbers.
result<guid> random_guid();

/// Reads what valid_guid() takes; nothing for anything else.
std::optional<guid> parse_guid(const std::string& text);

/// In upper case, as partitioning tools print it.
std::string to_string(const guid& id);

/// As GPT stores it: the first three fields little-endian, the others as they are spelled
/// (UEFI 2.10, appendix A). It is its own inverse.
guid mixed_endian(const guid& id) noexcept;

} // namespace crosvisor::io
