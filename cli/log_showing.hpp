// SPDX-License-Identifier: Apache-2.0
// Shows VMs' kept logs, a piece at a time.
#pragma once

#include "crosvisor/cli/door_request.hpp"
#include "crosvisor/cli/reconnect.hpp"
#include "crosvisor/messages/door_messages.hpp"

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace crosvisor::cli {

/// Reads the piece that is asked for; blocks until it is there.
using log_source = std::function<answer<log_piece>(const log_query&)>;

/// The service's logs. A daemon that is lost is connected to again, within the bound.
/// @param say see reconnect().
log_source service_logs(connection& service, std::function<void(const std::string&)> say,
                        std::chrono::milliseconds bound = reconnect_bound);

/// How long it takes at most to notice more, or that a VM has ended.
inline constexpr std::chrono::milliseconds log_poll_interval{250};

/// Where a log is shown.
struct log_display {
  /// Prints bytes as they are; done, or the exit code with which that ends.
  std::function<int(std::string_view)> print;
  /// A sentence for the person who watches.
  std::function<void(const std::string&)> say;
  std::function<void(std::chrono::milliseconds)> wait;
};

/// What was shown of a log.
struct log_shown {
  int exit_code = 0;
  vm_cid cid = no_cid; ///< Its VM.
  std::size_t bytes = 0;
};

/// Shows what there is of a log, and with `follow` what comes, until the VM is dead and all was
/// shown. What was rotated away in between is told where it is missing.
answer<log_shown> show_log(const log_source& source, const std::string& vm, log_kind log,
                           bool follow, const log_display& on);

/// The last lines of a log, at most `count`, made fit for a terminal; none where there is no such
/// log, or it can't be read. Reads the whole log, and keeps its last 8 KiB alone.
std::vector<std::string> last_lines(const log_source& source, vm_cid cid, log_kind log,
                                    std::size_t count);

} // namespace crosvisor::cli
