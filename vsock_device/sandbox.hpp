// SPDX-License-Identifier: Apache-2.0
// What a device process may still do once it is set up.
#pragma once

#include "crosvisor/io/result.hpp"

namespace crosvisor::vsock_device {

/// Descriptors for the most connections: one each, a second one as long as the service has not
/// taken it, and what a VMM sends with its messages.
inline constexpr unsigned long descriptor_limit = 2 * 1024 + 256;

/// For good: no new privileges, no core dumps, no tracing by the same user, no more descriptors
/// than it needs, and no system calls but those that carry data between descriptors that it has or
/// gets. Any other call kills the process.
io::result<void> enter_sandbox();

} // namespace crosvisor::vsock_device
