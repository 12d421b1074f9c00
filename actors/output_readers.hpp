// SPDX-License-Identifier: Apache-2.0
// Who reads a payload's output as messages.
#pragma once

#include "crosvisor/actors/monitor_set.hpp"
#include "crosvisor/io/backend.hpp"
#include "crosvisor/messages/interfaces.hpp"

#include <cstdint>
#include <map>
#include <memory>

namespace crosvisor::actors {

/// Gives each reader that subscribes one of the streams' own, until it unsubscribes or goes down.
/// Part of the supervisor's state. Pieces go to the reader as they are read, in the supervisor's
/// name, on the backend's thread: they neither wait for the supervisor nor keep it busy.
class output_readers {
public:
  /// @param monitors outlives this.
  output_readers(vm_supervisor_actor::pointer self, monitor_set& monitors)
      : self_(self), monitors_(monitors) {}
  output_readers(const output_readers&) = delete;
  output_readers& operator=(const output_readers&) = delete;
  ~output_readers();

  /// The streams to read from; before anything else, and for each life. Who reads an earlier life's
  /// goes on to its end, and may then subscribe anew.
  void read_from(std::shared_ptr<io::guest_streams> streams) { streams_ = std::move(streams); }

  void subscribe(const caf::strong_actor_ptr& who);
  void grant(const caf::strong_actor_ptr& who, std::uint64_t bytes);
  void unsubscribe(const caf::strong_actor_ptr& who);

  /// A reader is gone.
  /// @returns whether it was one.
  bool forget(const caf::actor_addr& who);

private:
  struct reading {
    std::shared_ptr<io::guest_streams> streams; ///< Of the life that it reads.
    io::guest_streams::reader_id id;
  };

  vm_supervisor_actor::pointer self_;
  monitor_set& monitors_;
  std::shared_ptr<io::guest_streams> streams_;
  std::map<caf::actor_addr, reading> readers_;
};

} // namespace crosvisor::actors
