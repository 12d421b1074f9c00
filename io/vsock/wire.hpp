// SPDX-License-Identifier: Apache-2.0
// Fixed-size values in memory that others can write: read and written once, as copies.
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstring>
#include <type_traits>

namespace crosvisor::io::vsock {

// Rings and packets are little-endian, vhost-user messages in the host's order.
static_assert(std::endian::native == std::endian::little);

/// A copy of the T at `from`, whatever its alignment.
template <class T>
T load(const void* from) noexcept {
  static_assert(std::is_trivially_copyable_v<T>);
  T value;
  std::memcpy(&value, from, sizeof(T));
  // Keeps the compiler from reading the memory again in place of the copy.
  std::atomic_signal_fence(std::memory_order_seq_cst);
  return value;
}

/// Puts a copy of `value` at `to`, whatever its alignment.
template <class T>
void store(void* to, const T& value) noexcept {
  static_assert(std::is_trivially_copyable_v<T>);
  std::memcpy(to, &value, sizeof(T));
}

} // namespace crosvisor::io::vsock
