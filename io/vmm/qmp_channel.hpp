// SPDX-License-Identifier: Apache-2.0
// The control channel to a QEMU.
#pragma once

#include "crosvisor/io/vmm/vmm_driver.hpp"

#include <cstdint>
#include <memory>

namespace crosvisor::io {

/// How many requests may wait for QEMU's answer at a time; the next one is refused at once.
inline constexpr std::size_t max_pending_requests = 32;

/// Speaks QMP over a connected stream socket. Requests made before QEMU answers wait for it, within
/// their bound; a QEMU that never answers at all is its starter's to end.
///
/// QEMU must have been started with `-S`: it is let run the guest once the channel works, and the
/// VM is up when QEMU says that it does. A fault is reported when QEMU stops the guest for an
/// error, and when what comes is no QMP; a channel that closes is none, since a QEMU closes it
/// whenever it ends.
/// @param socket taken over.
/// @param memory_bytes the guest's memory without a balloon.
std::shared_ptr<vmm_channel> make_qmp_channel(event_loop& loop, unique_fd socket,
                                              std::uint64_t memory_bytes,
                                              channel_callbacks callbacks,
                                              control_timeouts timeouts);

} // namespace crosvisor::io
