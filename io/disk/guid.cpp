// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/disk/guid.hpp"

#include "crosvisor/messages/vm_config.hpp"

#include <sys/random.h>

#include <charconv>
#include <cstddef>
#include <utility>

namespace crosvisor::io {

result<guid> random_guid() {
  guid id;
  // Up to 256 bytes come whole (getrandom(2)).
  while (::getrandom(id.bytes.data(), id.bytes.size(), 0) < 0)
    if (errno != EINTR)
      return last_failure("getrandom");
  id.bytes[6] = static_cast<std::uint8_t>((id.bytes[6] & 0x0f) | 0x40);
  id.bytes[8] = static_cast<std::uint8_t>((id.bytes[8] & 0x3f) | 0x80);
  return id;
}

std::optional<guid> parse_guid(const std::string& text) {
  if (!valid_guid(text))
    return std::nullopt;
  guid id;
  const auto* at = text.data();
  for (auto& byte : id.bytes) {
    at += *at == '-' ? 1 : 0;
    std::from_chars(at, at + 2, byte, 16);
    at += 2;
  }
  return id;
}

std::string to_string(const guid& id) {
  constexpr char digits[] = "0123456789ABCDEF";
  std::string text;
  for (std::size_t i = 0; i < id.bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10)
      text += '-';
    text += digits[id.bytes[i] >> 4];
    text += digits[id.bytes[i] & 0xf];
  }
  return text;
}

guid mixed_endian(const guid& id) noexcept {
  auto turned = id;
  auto& b = turned.bytes;
  std::swap(b[0], b[3]);
  std::swap(b[1], b[2]);
  std::swap(b[4], b[5]);
  std::swap(b[6], b[7]);
  return turned;
}

} // namespace crosvisor::io
