// SPDX-License-Identifier: Apache-2.0
// VMs' events, as they come.
#pragma once

#include "crosvisor/cli/door_request.hpp"
#include "crosvisor/cli/term.hpp"
#include "crosvisor/messages/interfaces.hpp"

#include <caf/typed_event_based_actor.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <string>

namespace crosvisor::cli {

/// Tells events that are new from those that are repeated: a state that is told again to whoever
/// subscribes, and the history that follows a lost connection.
class event_filter {
public:
  /// Whether it is new; it is then remembered.
  bool is_new(const vm_event& event);

  /// The history comes next: of VMs that nothing was heard of, only what is younger than all that
  /// was heard is new.
  void resume() noexcept { resumed_ = true; }

  bool heard_nothing() const noexcept { return last_.empty(); }

private:
  struct last_event {
    std::uint64_t seq = 0;
    std::int64_t time_ms = 0;
  };

  std::map<vm_cid, last_event> last_;
  std::int64_t newest_ms_ = 0;
  bool resumed_ = false;
};

/// What is to be watched.
struct event_watch_options {
  /// One VM, until it is dead; no_cid: all.
  vm_cid cid = no_cid;
  /// The events that are kept come first.
  bool history = false;
  /// Told each event; false: no more are wanted. Called on the watch's thread, and may block.
  std::function<bool(const vm_event&)> on_event;
};

/// Watches until the VM is dead or no more are wanted, and connects again to a service on another
/// host that was lost, without repeating an event. Blocks.
outcome<caf::unit_t> watch_events(connection& service, const event_watch_options& options);

/// For people: `2026-11-24T07:30:00.123Z  2048  demo        starting    qemu, tcg`, and a line
/// break.
std::string event_line(const vm_event& event, const term& paint);

} // namespace crosvisor::cli
