// SPDX-License-Identifier: Apache-2.0
// VMs, printed.
#pragma once

#include "crosvisor/cli/arguments.hpp"
#include "crosvisor/cli/term.hpp"
#include "crosvisor/messages/vm_info.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace crosvisor::cli {

/// What somebody's uid is called; nothing where it has no name here.
using user_names = std::function<std::optional<std::string>(std::uint32_t uid)>;

/// This host's (getpwuid_r(3)).
user_names host_users();
/// Those of a host whose users are not known here: none.
user_names unknown_users();

/// What VMs are shown with.
struct vm_shown {
  user_names users;
  /// Milliseconds since 1970-01-01 UTC.
  std::int64_t now_ms = 0;
  term paint;
};

/// A VM's owner: a user's name, else `uid 1000`, or a certificate's subject. Printable.
std::string owner_name(const caller& owner, const user_names& users);

/// How long something has been, in its largest unit: `5 s`, `3 min`, `2 h`, `4 d`.
std::string age(std::int64_t since_ms, std::int64_t now_ms);

/// `ready`, `started, suspended`, `dead: crash`.
std::string state_words(const vm_info& vm);

/// For people: the columns CID, NAME, STATE, OWNER, VMM, MEMORY and SINCE. For programs: one object
/// with `vms`, or one VM a line.
std::string list_report(const std::vector<vm_info>& vms, output_format how, const vm_shown& with);

/// One VM: lines of a name and a value, or an object.
std::string vm_report(const vm_info& vm, output_format how, const vm_shown& with);

/// A balloon: `64 MiB of 128 MiB`, or an object with `size_bytes` and `memory_bytes`.
std::string balloon_report(const balloon_info& balloon, output_format how);

} // namespace crosvisor::cli
