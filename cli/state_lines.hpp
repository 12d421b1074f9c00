// SPDX-License-Identifier: Apache-2.0
// A VM's events for people.
#pragma once

#include "crosvisor/cli/term.hpp"
#include "crosvisor/messages/vm_event.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace crosvisor::cli {

/// How an event is painted, the words for it, and the sentence about it, which is printable and may
/// be empty.
style style_of(const vm_event& event);
std::string word_of(const vm_event& event);
std::string detail_of(const vm_event& event);

/// Makes lines such as `vm 2048 started    0.31 s` of one VM's events. Times count from `starting`.
class state_lines {
public:
  explicit state_lines(term paint) : paint_(paint) {}

  /// The line for the next event, without a line break; nothing for one that is not worth a line.
  std::optional<std::string> next(const vm_event& event);

private:
  std::string elapsed(const vm_event& event) const;

  term paint_;
  std::optional<std::int64_t> starting_ms_;
};

} // namespace crosvisor::cli
