// SPDX-License-Identifier: Apache-2.0
// Where the program keeps its files.
#pragma once

#include "crosvisor/io/result.hpp"

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>

namespace crosvisor {

/// A variable of the environment; nothing where it is unset or empty.
using environment = std::function<std::optional<std::string>(const char* variable)>;

/// This process's own.
environment process_environment();

struct directories {
  std::string runtime; ///< For what runs; gone after a reboot.
  std::string state;   ///< For what is kept: logs, the last CID.
};

/// CROSVISOR_RUNTIME_DIR and CROSVISOR_STATE_DIR where they are set; else /run/crosvisor and
/// /var/lib/crosvisor for root, and for others what the XDG base directories say. Without
/// XDG_RUNTIME_DIR another user has no safe place: the failure says what to set.
io::result<directories> find_directories(const environment& variables, uid_t uid);

/// The second of them alone.
io::result<std::string> find_state_dir(const environment& variables, uid_t uid);

/// Makes `path` and what is missing above it, each 0700.
io::result<void> make_folders(const std::string& path);

} // namespace crosvisor
