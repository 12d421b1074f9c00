// SPDX-License-Identifier: Apache-2.0
// From a launch to a keeper that has it.
#pragma once

#include "crosvisor/io/keeper/keeper_host.hpp"
#include "crosvisor/io/keeper/watched_keeper.hpp"
#include "crosvisor/io/result.hpp"
#include "crosvisor/io/unique_fd.hpp"

#include <memory>

namespace crosvisor::io {

struct running_keeper {
  unique_fd socket; ///< Our end of its first connection.
  std::shared_ptr<watched_keeper> process;
};

/// Writes the record, makes what the keeper is given, and starts it; on a worker's thread. What
/// failed has left nothing.
/// @param request stays the caller's: the keeper has copies of the descriptors.
result<running_keeper> start_keeper(const keeper_host& host, const launch_request& request,
                                    watched_keeper::end_callback on_end);

} // namespace crosvisor::io
