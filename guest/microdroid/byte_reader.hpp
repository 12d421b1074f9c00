// SPDX-License-Identifier: Apache-2.0
// Takes numbers and pieces off the front of foreign bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace crosvisor::guest {

using byte_view = std::span<const unsigned char>;

/// Once something was asked for that is not there, all that follows is 0 or empty, and good() is
/// false.
class byte_reader {
public:
  explicit byte_reader(byte_view bytes) : left_(bytes) {}

  bool good() const { return good_; }
  std::size_t left() const { return left_.size(); }

  byte_view take(std::size_t size) {
    if (size > left_.size()) {
      good_ = false;
      left_ = {};
      return {};
    }
    auto taken = left_.first(size);
    left_ = left_.subspan(size);
    return taken;
  }

  /// Of `size` bytes, 8 at most, the least significant first.
  std::uint64_t little_endian(std::size_t size) {
    std::uint64_t value = 0;
    std::size_t shift = 0;
    for (auto byte : take(size)) {
      value |= std::uint64_t{byte} << shift;
      shift += 8;
    }
    return value;
  }

  /// The same, the most significant first.
  std::uint64_t big_endian(std::size_t size) {
    std::uint64_t value = 0;
    for (auto byte : take(size))
      value = value << 8 | byte;
    return value;
  }

  /// A piece behind its length, 32 bits, little-endian.
  byte_view prefixed() { return take(static_cast<std::size_t>(little_endian(4))); }

private:
  byte_view left_;
  bool good_ = true;
};

} // namespace crosvisor::guest
