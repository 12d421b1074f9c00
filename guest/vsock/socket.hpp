// SPDX-License-Identifier: Apache-2.0
// vsock sockets of the guest. Each function gives a descriptor, or -1 with errno.
#pragma once

#include <cstdint>

namespace crosvisor::guest {

/// Connects to a port of the host. Bounded by the kernel to two seconds.
int connect_to_host(std::uint32_t port);

/// Begins to connect; writable once it is decided.
int begin_connecting(std::uint32_t port);

/// Listens, without blocking. @param buffer bytes that each connection may hold unread; 0: the
/// kernel's own choice.
int listen_on(std::uint32_t port, std::uint64_t buffer = 0);

/// Changes how many bytes a connection may hold unread; the host is told at once.
void resize_buffer(int connection, std::uint64_t bytes);

/// How many descriptors a program here may have.
inline constexpr int most_descriptors = 4096;
void raise_descriptor_limit();

} // namespace crosvisor::guest
