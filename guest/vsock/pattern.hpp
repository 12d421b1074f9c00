// SPDX-License-Identifier: Apache-2.0
// The bytes that the demo guest sends on request, and the checksum of those that it is sent. The
// host's tests and benches include this to know both.
//
// Pattern: word i of a stream, of 64 bits, little-endian, is
//     (i mod 8191 + 1) * 0x9E3779B97F4A7C15 mod 2^64.
// It repeats after 65,528 bytes, which no usual size of packets divides, so that one that is lost,
// doubled or out of its place shows.
//
// Checksum: FNV-1a over 64-bit words, with a fold. From h = 0xCBF29CE484222325, for each word w,
// little-endian, the last filled up with zeros:
//     h = (h ^ w) * 0x100000001B3 mod 2^64,  h = h ^ (h >> 32)
// and then the same once more with the number of bytes for w. It is written as 16 digits, 0 to f.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace crosvisor::guest {

static_assert(std::endian::native == std::endian::little);

/// The pattern as a buffer to send from. A quarter of a MiB: not for the stack.
class pattern {
public:
  static constexpr std::size_t words = 8191;
  static constexpr std::size_t period = words * sizeof(std::uint64_t);

  /// What is sent at once: whole packets of 64 KiB. Each piece is longer.
  static constexpr std::size_t chunk = 131072;

  pattern() {
    for (std::size_t i = 0; i < std::size(words_); ++i)
      words_[i] = (i % words + 1) * 0x9E3779B97F4A7C15;
  }

  /// What a stream goes on with behind its first `offset` bytes; 196,584 bytes or more.
  std::span<const std::byte> at(std::uint64_t offset) const {
    return std::as_bytes(std::span{words_}).subspan(offset % period);
  }

private:
  std::uint64_t words_[4 * words];
};

/// The checksum of a stream that comes in pieces of any size.
class checksum {
public:
  void add(const void* data, std::size_t size) {
    auto* bytes = static_cast<const unsigned char*>(data);
    while (size > 0 && bytes_ % sizeof(std::uint64_t) != 0) {
      add_byte(*bytes++);
      --size;
    }
    for (; size >= sizeof(std::uint64_t); size -= sizeof(std::uint64_t)) {
      std::uint64_t word;
      std::memcpy(&word, bytes, sizeof word);
      hash_ = step(hash_, word);
      bytes += sizeof word;
      bytes_ += sizeof word;
    }
    while (size-- > 0)
      add_byte(*bytes++);
  }

  std::uint64_t value() const {
    auto whole = bytes_ % sizeof(std::uint64_t) == 0 ? hash_ : step(hash_, begun_);
    return step(whole, bytes_);
  }

  std::uint64_t bytes() const { return bytes_; }

private:
  static constexpr std::uint64_t step(std::uint64_t hash, std::uint64_t word) {
    hash = (hash ^ word) * 0x100000001B3;
    return hash ^ (hash >> 32);
  }

  void add_byte(unsigned char byte) {
    begun_ |= std::uint64_t{byte} << (8 * (bytes_ % sizeof(std::uint64_t)));
    if (++bytes_ % sizeof(std::uint64_t) == 0) {
      hash_ = step(hash_, begun_);
      begun_ = 0;
    }
  }

  std::uint64_t hash_ = 0xCBF29CE484222325;
  std::uint64_t begun_ = 0; // The bytes of a word that is not whole yet.
  std::uint64_t bytes_ = 0;
};

} // namespace crosvisor::guest
