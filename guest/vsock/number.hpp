// SPDX-License-Identifier: Apache-2.0
// Numbers as commands and connections give them.
#pragma once

#include <cstdint>
#include <string_view>

namespace crosvisor::guest {

struct number {
  std::uint64_t value = 0;
  bool valid = false;
};

/// Decimal digits and nothing else, up to 2^63 - 1.
constexpr number parse_number(std::string_view text) {
  std::uint64_t value = 0;
  for (auto digit : text) {
    if (digit < '0' || digit > '9' || value > (INT64_MAX - 9) / 10)
      return {};
    value = value * 10 + static_cast<std::uint64_t>(digit - '0');
  }
  return {value, !text.empty()};
}

} // namespace crosvisor::guest
