// SPDX-License-Identifier: Apache-2.0
// Colours, where somebody sees them.
#pragma once

#include <cstdint>
#include <string>

namespace crosvisor::cli {

enum class style : std::uint8_t { plain, strong, good, bad, dim };

/// Paints words for one stream.
class term {
public:
  /// Paints nothing.
  term() = default;

  explicit term(bool colours) : colours_(colours) {}

  /// For the stream `fd`: colours on a terminal that is not `dumb`, and never where NO_COLOR is set
  /// to anything (no-color.org).
  static term of(int fd);

  bool colours() const noexcept { return colours_; }

  std::string paint(style how, const std::string& words) const;

private:
  bool colours_ = false;
};

} // namespace crosvisor::cli
