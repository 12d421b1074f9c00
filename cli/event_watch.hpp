// SPDX-License-Identifier: Apache-2.0
// VMs' events, as they come.
#pragma once

#include "crosvisor/cli/door_request.hpp"
#include "crosvisor/cli/term.hpp"
#include "crosvisor/messages/interfaces.hpp"

#include <caf/typed_event_based_actor.hpp>

#include <cstdint>
#include <functional>
#include <string>

namespace crosvisor::cli {

/// Tells events that are new from those that are repeated, such as a state that is told again to
/// whoever subscribes.
class event_filter {
public:
  /// Whether it is new; it is then remembered. Of a service that has lost its numbers, what is
  /// younger than all that was heard is new.
  bool is_new(const vm_event& event);

  /// Whatever comes with a number up to this one is not new.
  void skip_to(std::uint64_t number);

  /// The number of the last one.
  std::uint64_t last_number() const noexcept { return last_number_; }

private:
  std::uint64_t last_number_ = 0;
  std::int64_t newest_ms_ = 0;
};

/// What is to be watched.
struct event_watch_options {
  /// One VM, until it is dead; no_cid: all.
  vm_cid cid = no_cid;
  /// The events that are kept come first.
  bool history = false;
  /// Told each event; false: no more are wanted. Called on the watch's thread, and may block.
  std::function<bool(const vm_event&)> on_event;
  /// A sentence for the person who watches.
  std::function<void(const std::string&)> say;
};

/// Watches until the VM is dead or no more are wanted, and connects again to a daemon that was
/// lost, as while it is restarted, without repeating or missing an event; what is not kept any more
/// is said. Blocks.
outcome<caf::unit_t> watch_events(connection& service, const event_watch_options& options);

/// For people: `2026-11-24T07:30:00.123Z  2048  demo        starting    qemu, tcg`, and a line
/// break.
std::string event_line(const vm_event& event, const term& paint);

} // namespace crosvisor::cli
