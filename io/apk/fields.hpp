// SPDX-License-Identifier: Apache-2.0
// The fields that APK signatures are made of: little-endian numbers, and bytes with their length.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace crosvisor::io {

/// Takes fields off the front of bytes that it borrows. One that is not there whole makes ok()
/// false for good, and it and all that follow are 0 or empty.
class field_reader {
public:
  explicit field_reader(std::string_view bytes) : left_(bytes) {}

  bool ok() const { return ok_; }
  /// Nothing is left, and nothing was missing.
  bool at_end() const { return ok_ && left_.empty(); }
  /// Something is left to be taken.
  bool has_more() const { return ok_ && !left_.empty(); }

  std::uint8_t u8() { return static_cast<std::uint8_t>(number(1)); }
  std::uint32_t u32() { return static_cast<std::uint32_t>(number(4)); }
  std::uint64_t u64() { return number(8); }

  /// The next `size` bytes.
  std::string_view bytes(std::uint64_t size) {
    ok_ = ok_ && size <= left_.size();
    if (!ok_)
      return {};
    auto taken = left_.substr(0, static_cast<std::size_t>(size));
    left_.remove_prefix(taken.size());
    return taken;
  }

  /// A u32 and as many bytes as it says.
  std::string_view sized() { return bytes(u32()); }

private:
  std::uint64_t number(std::size_t size) {
    std::uint64_t value = 0;
    auto shift = 0;
    for (auto byte : bytes(size)) {
      value |= std::uint64_t{static_cast<unsigned char>(byte)} << shift;
      shift += 8;
    }
    return value;
  }

  std::string_view left_;
  bool ok_ = true;
};

inline void append_u32(std::string& to, std::uint32_t value) {
  for (auto shift = 0; shift < 32; shift += 8)
    to += static_cast<char>(value >> shift);
}

/// A u32 and as many bytes as it says. `bytes` are fewer than 4 GiB.
inline void append_sized(std::string& to, std::string_view bytes) {
  append_u32(to, static_cast<std::uint32_t>(bytes.size()));
  to += bytes;
}

} // namespace crosvisor::io
