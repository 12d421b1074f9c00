// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/messages/text.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace crosvisor {

namespace {

constexpr char32_t replacement = 0xfffd;

bool is_surrogate(char32_t point) noexcept {
  return point >= 0xd800 && point < 0xe000;
}

/// How many bytes follow a leading one; nothing for a byte that leads none.
std::optional<std::size_t> bytes_behind(unsigned char lead) noexcept {
  if (lead < 0x80)
    return 0;
  if (lead < 0xc2 || lead > 0xf4)
    return std::nullopt;
  return lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
}

/// The code point at `i`, which is moved behind it.
std::optional<char32_t> next_point(const std::string& text, std::size_t& i) {
  auto lead = static_cast<unsigned char>(text[i]);
  auto more = bytes_behind(lead);
  if (!more || *more >= text.size() - i)
    return std::nullopt;
  char32_t point = *more == 0 ? lead : lead & (0x3fu >> *more);
  for (std::size_t k = 1; k <= *more; ++k) {
    auto byte = static_cast<unsigned char>(text[i + k]);
    if ((byte & 0xc0) != 0x80)
      return std::nullopt;
    point = point << 6 | (byte & 0x3fu);
  }
  constexpr char32_t smallest[] = {0, 0x80, 0x800, 0x10000};
  if (point < smallest[*more] || point > 0x10ffff || is_surrogate(point))
    return std::nullopt;
  i += *more + 1;
  return point;
}

void append_utf8(std::string& text, char32_t point) {
  auto tail = [&](unsigned shift) { text += static_cast<char>(0x80 | ((point >> shift) & 0x3f)); };
  if (point < 0x80) {
    text += static_cast<char>(point);
  } else if (point < 0x800) {
    text += static_cast<char>(0xc0 | (point >> 6));
    tail(0);
  } else if (point < 0x10000) {
    text += static_cast<char>(0xe0 | (point >> 12));
    tail(6);
    tail(0);
  } else {
    text += static_cast<char>(0xf0 | (point >> 18));
    tail(12);
    tail(6);
    tail(0);
  }
}

} // namespace

std::optional<std::u16string> to_utf16(const std::string& text) {
  std::u16string units;
  for (std::size_t i = 0; i < text.size();) {
    auto point = next_point(text, i);
    if (!point)
      return std::nullopt;
    if (*point < 0x10000) {
      units += static_cast<char16_t>(*point);
    } else {
      units += static_cast<char16_t>(0xd800 + ((*point - 0x10000) >> 10));
      units += static_cast<char16_t>(0xdc00 + ((*point - 0x10000) & 0x3ff));
    }
  }
  return units;
}

std::string to_utf8(const std::u16string& units) {
  std::string text;
  for (std::size_t i = 0; i < units.size(); ++i) {
    char32_t point = units[i];
    auto pair = point >= 0xd800 && point < 0xdc00 && i + 1 < units.size() && units[i + 1] >= 0xdc00
                && units[i + 1] < 0xe000;
    if (pair)
      point = 0x10000 + ((point - 0xd800) << 10) + (units[++i] - 0xdc00u);
    else if (is_surrogate(point))
      point = replacement;
    append_utf8(text, point);
  }
  return text;
}

bool has_control_characters(const std::string& text) noexcept {
  return std::any_of(text.begin(), text.end(),
                     [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

} // namespace crosvisor
