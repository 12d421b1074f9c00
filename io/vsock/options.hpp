// SPDX-License-Identifier: Apache-2.0
// The command line of crosvisor-vsock.
#pragma once

#include "crosvisor/io/result.hpp"

#include <cstdint>
#include <span>

namespace crosvisor::io::vsock {

/// `--cid N --vmm-fd N --service-fd N`, each once, in any order.
struct device_options {
  std::uint32_t cid = 0; ///< 3 to 0xFFFFFFFE.
  int vmm_fd = -1;       ///< A connected AF_UNIX SOCK_STREAM socket.
  int service_fd = -1;   ///< A connected AF_UNIX SOCK_SEQPACKET socket.
};

/// @param arguments without the program's name.
result<device_options> parse_options(std::span<const char* const> arguments);

/// Whether the descriptors are what they are to be, and two.
result<void> check_sockets(const device_options& options);

} // namespace crosvisor::io::vsock
