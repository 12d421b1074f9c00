// SPDX-License-Identifier: Apache-2.0
// All connections of one VM, and whose turn it is.
#pragma once

#include "crosvisor/io/vsock/connection.hpp"

#include <cstdint>
#include <deque>
#include <memory>
#include <unordered_map>
#include <vector>

namespace crosvisor::io::vsock {

/// Owns connections under their keys and under tokens, which are never used twice, so that an event
/// for a connection that has gone finds nothing.
class connection_table {
public:
  using token = std::uint64_t;

  /// The most connections at once.
  static constexpr std::size_t limit = 1024;
  /// Credit of the first connections, 256 KiB as Linux has itself; and of all beyond
  /// `large_windows`. This bounds what the table holds for hosts that don't read: 76 MiB.
  static constexpr std::uint32_t large_window = 256 * 1024;
  static constexpr std::uint32_t small_window = 64 * 1024;
  static constexpr std::size_t large_windows = 64;

  std::size_t size() const noexcept { return by_key_.size(); }
  bool is_full() const noexcept { return size() >= limit; }

  connection* find(connection_key key) noexcept;
  connection* at(token which) noexcept;
  token token_of(const connection& which) const noexcept;

  /// Not when full or when the key is taken.
  connection& add(connection_key key, connection_phase phase);
  void remove(connection& which);

  /// Puts a connection at the end of the queue, unless it stands there already.
  void enqueue(connection& which);
  /// The first of the queue, taken out of it; nullptr when there is none.
  connection* dequeue() noexcept;
  bool has_queued() const noexcept { return !queue_.empty(); }

  /// Calls `visit(connection&)` for each; it may remove that one.
  template <class Visit>
  void for_each(Visit visit) {
    for (std::size_t i = 0; i < slots_.size(); ++i)
      if (auto* here = slots_[i].held.get())
        visit(*here);
  }

private:
  struct key_hash {
    std::size_t operator()(const connection_key& key) const noexcept {
      // A guest that makes keys collide makes the search as long as the limit, no longer.
      auto both = (std::uint64_t{key.host_port} << 32) | key.guest_port;
      return static_cast<std::size_t>((both ^ (both >> 29)) * 0x9E37'79B9'7F4A'7C15u);
    }
  };
  struct place {
    std::unique_ptr<connection> held;
    std::uint32_t generation = 0;
  };

  std::vector<place> slots_;
  std::vector<std::uint32_t> free_slots_;
  std::unordered_map<connection_key, std::uint32_t, key_hash> by_key_;
  std::deque<token> queue_;
  std::size_t large_windows_used_ = 0;
};

} // namespace crosvisor::io::vsock
