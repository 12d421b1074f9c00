// SPDX-License-Identifier: Apache-2.0
// How much is on its way to one peer.
#pragma once

#include <cstddef>
#include <functional>
#include <mutex>
#include <vector>

namespace crosvisor::io {

/// What was handed to the connection with one peer and is not written to its socket yet, so that
/// those who have much to send wait for a connection that is slow, and it holds little. Any thread.
class outflow {
public:
  /// With so many bytes on their way nobody is to add more, until there are half as many.
  static constexpr std::size_t high_water_bytes = 256u << 10;

  /// Counts what is about to be handed to the connection.
  void add(std::size_t bytes);

  /// The connection has so many bytes that are not written, `more` of which it was handed just now:
  /// those that were counted by add(), and what others sent.
  void set_unwritten(std::size_t bytes, std::size_t more);

  /// Whether there is room. If not, `on_room` is called once when there is, on any thread; it may
  /// only post.
  bool has_room(std::function<void()> on_room);

  /// How many bytes are on their way.
  std::size_t bytes() const;

private:
  mutable std::mutex mutex_; ///< Of what follows.
  std::size_t handed_ = 0;   ///< By add(), and not at the connection yet.
  std::size_t unwritten_ = 0;
  std::vector<std::function<void()>> waiting_;
};

} // namespace crosvisor::io
