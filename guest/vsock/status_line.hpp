// SPDX-License-Identifier: Apache-2.0
// The lines of the status channel: docs/guest-protocol.md says what they mean.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace crosvisor::guest {

/// One line of JSON with its newline, of at most 4,096 bytes. A message that is too long is cut.
class status_line {
public:
  static constexpr std::size_t most = 4096;

  /// `status` is written as it is.
  explicit status_line(std::string_view status);

  void add_number(std::string_view key, std::int64_t value);

  /// Escapes what JSON wants escaped; bytes that are not UTF-8 become U+FFFD. Comes last.
  void add_text(std::string_view key, std::string_view value);

  /// Ends the line; it takes no more then.
  std::string_view finish();

private:
  /// Nothing is put in part. @returns whether it fitted, with the end of the line behind it.
  bool put(std::string_view text);

  char text_[most];
  std::size_t size_ = 0;
};

/// Makes the line that `words` begin with: `started`, `ready`, `finished CODE` or
/// `error CODE MESSAGE`.
struct parsed_status {
  status_line line{""};
  int words = 0; ///< How many of them it took; 0 when they are none of these.
};
parsed_status parse_status(const char* const* words, int count);

} // namespace crosvisor::guest
