// SPDX-License-Identifier: Apache-2.0
// Little-endian numbers in the bytes of an image.
#pragma once

#include <cstddef>
#include <string_view>

namespace crosvisor::io {

/// The unsigned number at `at`; all of its bytes must be there.
template <class Number>
Number little_endian(std::string_view bytes, std::size_t at) noexcept {
  Number value = 0;
  for (auto i = sizeof(Number); i-- > 0;)
    value = static_cast<Number>(value << 8 | static_cast<unsigned char>(bytes[at + i]));
  return value;
}

} // namespace crosvisor::io
