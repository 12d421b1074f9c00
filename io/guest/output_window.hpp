// SPDX-License-Identifier: Apache-2.0
// The last bytes of a stream, and who has read how far.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace crosvisor::io {

/// Keeps the newest bytes of a stream, at most `bound` of them, but all that the fastest reader has
/// not read yet; that reader gets no further ahead than lets `reread` bytes stay which it has read.
/// Pure; one thread.
class output_window {
public:
  using reader_id = std::uint64_t;

  struct piece {
    std::uint64_t offset = 0; ///< Of its first byte in the stream.
    std::uint64_t missed = 0; ///< Bytes before it that this reader lost.
    std::string_view bytes;   ///< Valid until the window changes.
  };

  /// @param reread less than `bound`.
  explicit output_window(std::size_t bound, std::size_t reread = 0)
      : bound_(bound), unread_bound_(bound - reread) {}

  /// How many bytes may be added now: with readers, as many as the bound leaves beyond what the
  /// fastest has not read; without, any number.
  std::size_t room() const noexcept;

  /// Adds bytes and drops the oldest beyond the bound.
  void add(std::string_view bytes);

  /// A new reader, at the stream's beginning.
  void add_reader(reader_id reader) { readers_[reader] = 0; }
  void remove_reader(reader_id reader);

  /// What a reader has next, at most `most` bytes; empty when it has read all.
  piece next(reader_id reader, std::size_t most) const;

  /// The reader has taken the first `count` bytes of next(), and knows what it missed.
  void advance(reader_id reader, std::size_t count);

  bool has_read_all(reader_id reader) const { return readers_.at(reader) == end(); }
  bool has(reader_id reader) const { return readers_.count(reader) > 0; }

private:
  std::uint64_t end() const noexcept { return begin_ + bytes_.size() - head_; }
  std::uint64_t fastest() const noexcept;
  void trim();

  const std::size_t bound_;
  const std::size_t unread_bound_;
  std::uint64_t begin_ = 0; ///< The offset of the first byte that is kept.
  std::string bytes_;       ///< What is kept begins at `head_`.
  std::size_t head_ = 0;
  std::map<reader_id, std::uint64_t> readers_; ///< How far each has read.
};

} // namespace crosvisor::io
