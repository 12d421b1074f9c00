// SPDX-License-Identifier: Apache-2.0
// Numbers in the bytes of a format.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace crosvisor::io {

/// The little-endian number at `at`; 0 where the bytes end before it does.
template <class T>
T little_endian(std::string_view bytes, std::size_t at) {
  if (at > bytes.size() || bytes.size() - at < sizeof(T))
    return 0;
  T value = 0;
  for (auto i = sizeof(T); i-- > 0;)
    value = static_cast<T>(value << 8 | static_cast<unsigned char>(bytes[at + i]));
  return value;
}

/// The same of a big-endian number.
template <class T>
T big_endian(std::string_view bytes, std::size_t at) {
  if (at > bytes.size() || bytes.size() - at < sizeof(T))
    return 0;
  T value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i)
    value = static_cast<T>(value << 8 | static_cast<unsigned char>(bytes[at + i]));
  return value;
}

/// Overwrites bytes that are there.
template <class T>
void put_little_endian(std::string& bytes, std::size_t at, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i)
    bytes[at + i] = static_cast<char>(value >> (8 * i));
}

/// The same.
template <class T>
void put_big_endian(std::string& bytes, std::size_t at, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i)
    bytes[at + i] = static_cast<char>(value >> (8 * (sizeof(T) - 1 - i)));
}

} // namespace crosvisor::io
