// SPDX-License-Identifier: Apache-2.0
// Descriptors that wait for the message that names them.
#pragma once

#include "crosvisor/io/result.hpp"
#include "crosvisor/io/unique_fd.hpp"
#include "crosvisor/messages/caller.hpp"
#include "crosvisor/messages/door_messages.hpp"
#include "crosvisor/messages/limit_info.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace crosvisor::io {

struct ticket_limits {
  /// How long a ticket is good for.
  std::chrono::milliseconds lifetime = std::chrono::seconds{30};
  /// How many may wait for one uid, and for all.
  std::size_t per_uid = 256;
  std::size_t in_all = 4096;
};

/// Keeps descriptors until whoever they were made for asks for them with the right ticket, once, or
/// their time is over; then they are closed. A ticket is made for a uid and a process of it: nobody
/// else can use it, who has guessed or seen it, not even the same user's other processes. Any
/// thread; nothing blocks.
class ticket_store {
public:
  /// Whose deposit it is: what a client left for the service, or the service for a client.
  enum class direction : std::uint8_t { to_service, to_client };

  /// The time that counts; a test gives one of its own.
  using clock = std::function<std::chrono::steady_clock::time_point()>;

  static std::shared_ptr<ticket_store> make(const ticket_limits& limits, clock now = nullptr);

  virtual ~ticket_store() = default;

  /// Keeps `fd` for `who`. Fails with EDQUOT where too many wait already; the sentence says whose
  /// bound it is.
  virtual result<ticket> put(unique_fd fd, const caller& who, direction way) = 0;

  /// Takes the descriptor of a ticket; none (code 0) where there is no such ticket for `who`, which
  /// is all that is said of one that is used, too old, another's, or made for the other direction.
  virtual result<unique_fd> take(const ticket& of, const caller& who, direction way) = 0;

  /// Closes what `who`'s process left. For its last connection's end.
  virtual void forget(const caller& who) = 0;

  /// How many wait.
  virtual std::size_t size() const = 0;

  /// Its bounds as they are: `tickets` and `tickets_per_user`; with somebody named the second
  /// alone, of theirs.
  virtual std::vector<limit_info> limits(const caller* of) const = 0;
};

} // namespace crosvisor::io
