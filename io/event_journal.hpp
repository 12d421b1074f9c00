// SPDX-License-Identifier: Apache-2.0
// What a daemon has told of its VMs, kept for the next one.
#pragma once

#include "crosvisor/messages/caller.hpp"
#include "crosvisor/messages/vm_event.hpp"
#include "crosvisor/messages/vm_history.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>

namespace crosvisor::io {

/// An event, and which VM's it is: a CID comes again, but not with the same time of its creation.
struct kept_event {
  vm_event event;
  std::int64_t created_ms = 0; ///< Milliseconds since 1970-01-01 UTC.
  caller owner;
};

/// What was told of a VM.
struct told_vm {
  vm_cid cid = no_cid;
  vm_name name;
  std::int64_t created_ms = 0;
  caller owner;
  vm_history history;
};

/// What a journal has.
struct told_events {
  std::uint64_t last_number = 0;
  /// The last ones, the oldest first.
  std::deque<kept_event> events;
  /// Those that are not told to be dead.
  std::map<vm_cid, told_vm> living;

  /// Adds an event, and takes the oldest away where there are more than `most`.
  void take(kept_event kept, std::size_t most);

  /// What was told of a VM, also of one whose death is among `events`; nothing: of that very one
  /// there is nothing.
  std::optional<told_vm> find(vm_cid cid, std::int64_t created_ms) const;
};

/// Keeps what is told. Use from one thread at a time.
class event_journal {
public:
  virtual ~event_journal() = default;

  /// What earlier processes kept.
  virtual told_events load() = 0;

  /// Keeps one more, with a number above all before. Waits for no disk; what can't be kept is
  /// reported once, in the log.
  virtual void append(const kept_event& event) = 0;
};

template <class Inspector>
auto inspect(Inspector& f, kept_event& x) {
  return f(x.event, x.created_ms, x.owner);
}

template <class Inspector>
auto inspect(Inspector& f, told_vm& x) {
  return f(x.cid, x.name, x.created_ms, x.owner, x.history);
}

} // namespace crosvisor::io
