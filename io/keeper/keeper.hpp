// SPDX-License-Identifier: Apache-2.0
// A keeper: the process that a VM's processes belong to, whichever service is there.
#pragma once

#include "crosvisor/io/result.hpp"

#include <span>
#include <string>
#include <vector>

namespace crosvisor::io {

/// The numbers under which a keeper has what it inherits: `--launch-fd N --service-fd N --record-fd
/// N`, each once, in any order; see keeper_launch.
struct keeper_arguments {
  int launch_fd = -1;  ///< A sealed memory file.
  int service_fd = -1; ///< A connected AF_UNIX SOCK_SEQPACKET socket.
  int record_fd = -1;  ///< A folder.
};

/// Three different numbers above 2; else what is wrong, with code 0. Whether they are open, and on
/// what, run_keeper() finds out.
result<keeper_arguments> parse_keeper_arguments(std::span<const char* const> arguments);

/// Exit codes of a keeper.
inline constexpr int keeper_done = 0;
inline constexpr int keeper_failed = 1; ///< It never began.
inline constexpr int keeper_usage_error = 2;

/// Makes the calling process, which has one thread, a keeper; returns with its exit code when its
/// VM is dead and nobody needs it any more. Ends by SIGKILL alone: SIGTERM ends the VM, and the
/// keeper when no service is there then; other signals that can be ignored are.
///
/// It ends early, and leaves nothing, when the service that started it has gone before the VM was
/// launched. Without a service it keeps a dead VM for an hour; then the record says how it ended.
int run_keeper(const keeper_arguments& arguments);

} // namespace crosvisor::io
