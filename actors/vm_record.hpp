// SPDX-License-Identifier: Apache-2.0
// What the actors note of a VM for whoever adopts it, and how it is written. A value.
#pragma once

#include "crosvisor/actors/vm_lifecycle.hpp"
#include "crosvisor/io/backend.hpp"
#include "crosvisor/messages/caller.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace crosvisor::actors {

/// The keys of the actors' own notes. Others, such as the door's, do not begin with `vm.`.
inline constexpr const char* owner_note = "vm.owner";
inline constexpr const char* created_note = "vm.created_ms";
inline constexpr const char* restarts_note = "vm.restarts"; ///< Before the present life.
inline constexpr const char* plan_note = "vm.restart_plan"; ///< See restart_plan.
inline constexpr const char* ending_note = "vm.ending";     ///< While the VM is being ended.

/// An end that was begun: why, and how far down the ladder it starts.
struct vm_ending {
  end_cause cause = end_cause::stop; ///< `stop`, `start_expired` or `hung`.
  /// Of a stop: straight to the last rung.
  bool kill = false;
  /// Of a stop that does not kill.
  std::chrono::milliseconds grace{};
};

/// What the notes of a VM say, apart from others' notes.
struct vm_record {
  caller owner;
  std::int64_t created_ms = 0;
  std::uint32_t restarts = 0;
  std::string plan;
  std::optional<vm_ending> ending;
};

/// Reads what a keeper had. What is missing or makes no sense gets a default and a warning in the
/// log: the owner is then root, the VM was created now, was never started again, and is not being
/// ended.
vm_record read_record(const io::kept_vm& kept);

/// The values of notes.
std::string encode_owner(const caller& owner);
std::string encode_ending(const vm_ending& ending);

/// The inverse; nothing for what makes no sense.
std::optional<caller> decode_owner(const std::string& text);
std::optional<vm_ending> decode_ending(const std::string& text);

} // namespace crosvisor::actors
