// SPDX-License-Identifier: Apache-2.0
// What the handlers of vhost-user messages share.
#pragma once

#include "crosvisor/io/vsock/vhost_message.hpp"
#include "crosvisor/io/vsock/wire.hpp"

#include <string>

namespace crosvisor::io::vsock {

/// Why `message` is refused.
inline failure bad(const vhost_message& message, const char* what) {
  return {0, "vmm's message " + std::to_string(message.header.request) + ": " + what};
}

/// A payload of exactly one T.
template <class T>
bool has(const vhost_message& message) noexcept {
  return message.payload.size() == sizeof(T);
}

} // namespace crosvisor::io::vsock
