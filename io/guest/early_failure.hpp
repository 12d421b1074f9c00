// SPDX-License-Identifier: Apache-2.0
// What a guest writes to its second serial port when it fails before its status channel is there.
#pragma once

#include "crosvisor/messages/vm_state.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace crosvisor::io {

/// How much of it is read (Android's VirtualMachineService reads as much).
inline constexpr std::size_t max_early_failure_bytes = 50'000;

struct early_failure {
  death_reason reason = death_reason::unknown;
  /// The guest's own words, printable, at most 1,024 bytes.
  std::string detail;
};

/// `NAME` or `NAME|detail`, in one line or with whitespace around it; NAME is one of Android's
/// (guest/microdroid_manager/src/main.rs, write_death_reason_to_serial): PVM_FIRMWARE_… and
/// MICRODROID_…. Nothing for text that begins with no such name, as the output of a program that
/// takes the port for a terminal. Pure.
std::optional<early_failure> parse_early_failure(std::string_view text);

} // namespace crosvisor::io
