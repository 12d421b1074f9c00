// SPDX-License-Identifier: Apache-2.0
// Those who read a VM's output by a service's connection.
#pragma once

#include "crosvisor/io/backend.hpp"
#include "crosvisor/io/keeper/keeper_channel.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>

namespace crosvisor::io {

/// The readers of one connection, by the numbers that the service gives them. What they may have is
/// passed on in small steps, however much was granted, and only as the service takes it: what is on
/// its way, and lost with a service, is at most max_under_way bytes for each beside what is in the
/// socket. On the loop's thread alone.
class keeper_readers {
public:
  static constexpr std::size_t max_readers = 64;
  static constexpr std::uint64_t max_under_way = 128u << 10;

  keeper_readers(std::shared_ptr<guest_streams> streams, std::weak_ptr<keeper_channel> channel);
  keeper_readers(const keeper_readers&) = delete;
  keeper_readers& operator=(const keeper_readers&) = delete;
  /// Lets go of all that are left.
  ~keeper_readers();

  /// Whether there was room and the number was free.
  bool add(std::uint64_t reader);
  void grant(std::uint64_t reader, std::uint64_t bytes);
  void remove(std::uint64_t reader);

  /// The channel has sent what waited in it.
  void drained();

private:
  struct reader {
    guest_streams::reader_id id = 0;
    std::uint64_t granted = 0;   ///< By the service, and not passed on yet.
    std::uint64_t under_way = 0; ///< Passed on, and not sent yet.
  };
  struct state;

  const std::shared_ptr<state> state_;
};

} // namespace crosvisor::io
