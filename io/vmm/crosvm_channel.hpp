// SPDX-License-Identifier: Apache-2.0
// The control channel to a crosvm.
#pragma once

#include "crosvisor/io/vmm/vmm_driver.hpp"

#include <cstdint>
#include <memory>
#include <string>

namespace crosvisor::io {

/// Asks by crosvm's own commands (`crosvm stop SOCKET` and the like), since what goes over the
/// socket is no stable format, while a program speaks its own. Each command is killed when its time
/// is up: `balloon_stats` waits for ever for a guest that has no such queue.
///
/// A crosvm says nothing when its guest runs, so the VM counts as up as soon as it is started, and
/// no fault is ever reported.
/// @param crosvm the very program that runs the VM.
/// @param socket the path of its control socket.
/// @param memory_bytes the guest's memory without a balloon.
std::shared_ptr<vmm_channel> make_crosvm_channel(event_loop& loop, worker_pool& workers,
                                                 const vmm_info& crosvm, std::string socket,
                                                 std::uint64_t memory_bytes,
                                                 channel_callbacks callbacks,
                                                 control_timeouts timeouts);

/// What `crosvm balloon_stats` prints, as a balloon's size; vm_control/src/lib.rs (VmResponse) and
/// src/main.rs (balloon_stats) have the format. Pure.
result<balloon_info> parse_balloon_stats(const std::string& printed, std::uint64_t memory_bytes);

} // namespace crosvisor::io
