// SPDX-License-Identifier: Apache-2.0
// Partitions, by what their GPT says of them.
#pragma once

#include "outcome.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace crosvisor::guest {

/// A block device, as the kernel calls it.
struct partition {
  char name[32] = ""; ///< Such as "vda1"; empty: there is none.
  char path[48] = ""; ///< Its node in /dev.

  bool found() const { return name[0] != '\0'; }
};

/// The first partition with this label among the devices in `folder`, each of which has a file
/// `uevent` with a line PARTNAME=.
partition find_partition(std::string_view label, const char* folder = "/sys/class/block");

/// The same, waiting up to `milliseconds` for it to come. None is cause::unknown.
outcome await_partition(std::string_view label, int milliseconds, partition& found);

/// Opens its node. @returns a descriptor, which is the caller's, or -1 with errno.
int open_partition(const partition& from, int flags);

/// Of a block device or a file, by its end. @returns -1 with errno.
std::int64_t size_of(int fd);

/// Reads from the beginning, up to `most` bytes. @returns how many there were, -1 with errno.
std::int64_t read_front(int fd, void* data, std::size_t most);

} // namespace crosvisor::guest
