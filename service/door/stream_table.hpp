// SPDX-License-Identifier: Apache-2.0
// The streams to guests' ports that clients have through the door.
#pragma once

#include "crosvisor/io/stream/credited_socket.hpp"
#include "crosvisor/messages/interfaces.hpp"
#include "crosvisor/service/door/quota.hpp"
#include "crosvisor/service/permissions.hpp"

#include <caf/actor_addr.hpp>
#include <caf/error.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

namespace crosvisor::door {

/// One stream. Its socket goes with it.
struct stream_entry {
  /// Whose it is, and nobody else's.
  stream_client_actor client;
  /// vm_identity::serial of its VM.
  std::uint64_t vm = 0;
  /// As what it was let in.
  door_request asked = door_request::connect_stream;
  quota::token counted = nullptr;
  std::shared_ptr<io::credited_socket> socket = nullptr;
  /// Why it ends, where that is known before it has.
  std::optional<caf::error> why = std::nullopt;
  /// Its socket has ended, and perhaps its VM is about to.
  bool hung_up = false;
};

/// Use from one thread.
class stream_table {
public:
  /// A number that no stream of this table ever had.
  std::uint64_t next_number() noexcept { return ++last_; }

  void add(std::uint64_t number, stream_entry entry) { all_.emplace(number, std::move(entry)); }

  /// Null where there is none.
  stream_entry* find(std::uint64_t number) {
    auto i = all_.find(number);
    return i == all_.end() ? nullptr : &i->second;
  }

  /// The same of one client's: another's is none.
  stream_entry* find(std::uint64_t number, const caf::actor_addr& client) {
    auto* found = find(number);
    return found && found->client.address() == client ? found : nullptr;
  }

  void remove(std::uint64_t number) { all_.erase(number); }

  /// Removes all of a client that is gone.
  void remove_all(const caf::actor_addr& client) {
    std::erase_if(all_, [&](const auto& one) { return one.second.client.address() == client; });
  }

  /// The numbers of those to one VM.
  std::vector<std::uint64_t> of_vm(std::uint64_t serial) const {
    std::vector<std::uint64_t> numbers;
    for (const auto& [number, stream] : all_)
      if (stream.vm == serial)
        numbers.push_back(number);
    return numbers;
  }

  std::size_t size() const noexcept { return all_.size(); }

private:
  std::map<std::uint64_t, stream_entry> all_;
  std::uint64_t last_ = 0;
};

} // namespace crosvisor::door
