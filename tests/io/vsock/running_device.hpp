// SPDX-License-Identifier: Apache-2.0
// A device under QEMU whose guest's driver is up.
#pragma once

#include "crosvisor/tests/io/vsock/front_end.hpp"

#include <sys/socket.h>

#include <string_view>

namespace crosvisor::tests {

struct running_device : front_end {
  running_device() {
    make_device();
    start_like_qemu();
    post_buffers(64);
    run();
  }

  /// Whether the other end has closed.
  static bool at_end(int fd) {
    char byte;
    return ::recv(fd, &byte, 1, MSG_DONTWAIT) == 0;
  }

  static void write(int fd, std::string_view text) {
    ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
  }
};

} // namespace crosvisor::tests
