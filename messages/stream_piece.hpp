// SPDX-License-Identifier: Apache-2.0
// A stream to a guest's port, as messages. Knows no CAF type.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace crosvisor {

/// The most bytes of one piece: with all that a transport adds, a message below 64 KiB.
inline constexpr std::size_t max_stream_piece_bytes = 60u << 10;

/// How many bytes of one stream may be granted and not yet sent, each way.
inline constexpr std::uint64_t stream_window_bytes = 1u << 20;

/// Bytes of one stream, in order. Without bytes only the last one.
struct stream_piece {
  /// Which stream: the door's number for it.
  std::uint64_t stream = 0;
  /// At most max_stream_piece_bytes, and no more than was granted.
  std::string bytes;
  /// Nothing follows this way, ever; the other way goes on.
  bool last = false;
};

template <class Inspector>
auto inspect(Inspector& f, stream_piece& x) {
  return f(x.stream, x.bytes, x.last);
}

} // namespace crosvisor
