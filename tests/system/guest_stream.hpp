// SPDX-License-Identifier: Apache-2.0
// A connection to a real guest, from the test's side.
#pragma once

#include "crosvisor/io/unique_fd.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace crosvisor::tests {

/// How long a stream may stand still.
inline constexpr std::chrono::seconds stream_bound{60};

/// Every call is bounded by `stream_bound`; what is not done by then is told by the result.
class guest_stream {
public:
  explicit guest_stream(std::shared_ptr<io::unique_fd> socket) : socket_(std::move(socket)) {}

  /// False when the connection broke or nothing was taken in time.
  bool send(std::string_view bytes);
  /// So much of the demo guest's pattern.
  bool send_pattern(std::uint64_t count);
  /// Sends for as long as something is taken at once; how much that was.
  std::uint64_t send_until_full();
  /// Says that nothing follows.
  void half_close();

  /// So many bytes, or fewer at the end of file.
  std::string receive(std::size_t count);
  /// All up to the end of file, or what came before a break.
  std::string receive_all();
  /// The same, where only the demo guest's pattern is expected: how much of it came.
  std::uint64_t receive_pattern();

  /// Receives so many bytes, whatever they are, or fewer at the end of file; how many that was.
  std::uint64_t discard(std::uint64_t count);

  /// Whether the end comes within `bound`: end of file or a break, whatever comes before.
  bool ends_within(std::chrono::milliseconds bound);

private:
  bool wait(short events, std::chrono::milliseconds bound) const;
  /// Like read(2), after waiting.
  long read(char* to, std::size_t count);

  std::shared_ptr<io::unique_fd> socket_;
};

/// What the demo guest's sink answers when it was sent so much of the pattern.
std::string pattern_receipt(std::uint64_t count);

} // namespace crosvisor::tests
