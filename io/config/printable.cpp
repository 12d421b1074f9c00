// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/config/printable.hpp"

#include <cstdint>

namespace crosvisor::io {

namespace {

std::uint8_t byte_at(std::string_view text, std::size_t i) noexcept {
  return i < text.size() ? static_cast<std::uint8_t>(text[i]) : std::uint8_t{0};
}

/// Bytes of the well-formed character that begins `text` (Unicode 15, table 3-7), 0 for none. C1
/// controls count as none: terminals obey them.
std::size_t character_length(std::string_view text) noexcept {
  auto lead = byte_at(text, 0);
  auto second = byte_at(text, 1);
  auto follows = [&](std::size_t i) { return (byte_at(text, i) & 0xc0) == 0x80; };
  if (lead < 0x80)
    return lead >= 0x20 && lead != 0x7f ? 1 : 0;
  if (lead >= 0xc2 && lead <= 0xdf)
    return follows(1) && !(lead == 0xc2 && second < 0xa0) ? 2 : 0;
  if (lead >= 0xe0 && lead <= 0xef) {
    bool overlong = lead == 0xe0 && second < 0xa0;
    bool surrogate = lead == 0xed && second >= 0xa0;
    return follows(1) && follows(2) && !overlong && !surrogate ? 3 : 0;
  }
  if (lead >= 0xf0 && lead <= 0xf4) {
    bool overlong = lead == 0xf0 && second < 0x90;
    bool too_large = lead == 0xf4 && second >= 0x90;
    return follows(1) && follows(2) && follows(3) && !overlong && !too_large ? 4 : 0;
  }
  return 0;
}

std::string escaped(std::uint8_t byte) {
  constexpr const char* digits = "0123456789abcdef";
  return {'\\', 'x', digits[byte >> 4], digits[byte & 0xf]};
}

} // namespace

std::string printable(std::string_view text, std::size_t limit) {
  std::string shown;
  while (!text.empty()) {
    auto length = character_length(text);
    auto next = length > 0 ? std::string{text.substr(0, length)} : escaped(byte_at(text, 0));
    if (shown.size() + next.size() > limit)
      return shown + "...";
    shown += next;
    text.remove_prefix(length > 0 ? length : 1);
  }
  return shown;
}

std::string in_quotes(std::string_view text) {
  return '"' + printable(text) + '"';
}

} // namespace crosvisor::io
