// SPDX-License-Identifier: Apache-2.0
// Reads CAF's binary format (caf/binary_deserializer.hpp, 0.17) within its bounds, and without
// taking memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace crosvisor::transport {

/// Goes through bytes that somebody else wrote. What it answers points into them. After the first
/// thing that was not there, nothing is.
class wire_reader {
public:
  explicit wire_reader(std::string_view bytes) noexcept : rest_(bytes) {}

  /// Bytes that were not read yet.
  std::size_t remaining() const noexcept { return rest_.size(); }

  std::string_view rest() const noexcept { return rest_; }

  /// So many bytes as they are.
  std::optional<std::string_view> raw(std::size_t size) noexcept {
    if (size > rest_.size())
      return fail();
    auto bytes = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return bytes;
  }

  /// An unsigned integer of so many bytes, 1 to 8, in network order.
  std::optional<std::uint64_t> integer(std::size_t size) noexcept {
    auto bytes = raw(size);
    if (!bytes)
      return std::nullopt;
    std::uint64_t value = 0;
    for (auto byte : *bytes)
      value = value << 8 | static_cast<std::uint8_t>(byte);
    return value;
  }

  /// How many elements a sequence has. Each takes a byte at least, so that more than there are
  /// bytes is refused; CAF takes memory for some kinds before it looks.
  std::optional<std::size_t> sequence() noexcept {
    std::uint64_t size = 0;
    for (unsigned shift = 0; shift < 35; shift += 7) {
      auto byte = integer(1);
      if (!byte)
        return std::nullopt;
      size |= (*byte & 0x7f) << shift;
      if ((*byte & 0x80) != 0)
        continue;
      if (size > rest_.size()) {
        fail();
        return std::nullopt;
      }
      return static_cast<std::size_t>(size);
    }
    fail();
    return std::nullopt;
  }

  std::optional<std::string_view> text() noexcept {
    auto size = sequence();
    return size ? raw(*size) : std::nullopt;
  }

  /// The types of a message's elements, `@<>+TYPE+TYPE`, which come before the elements.
  std::optional<std::string_view> message_types() noexcept {
    auto number = integer(2);
    if (!number || *number != 0)
      return fail();
    return text();
  }

private:
  std::optional<std::string_view> fail() noexcept {
    rest_ = {};
    return std::nullopt;
  }

  std::string_view rest_;
};

} // namespace crosvisor::transport
