// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/descriptor_set.hpp"

#include <fcntl.h>

namespace crosvisor::io {

result<descriptor_set> descriptor_set::duplicate() const {
  descriptor_set copies;
  copies.stored_images_ = stored_images_;
  copies.fds_.reserve(fds_.size());
  for (const auto& fd : fds_) {
    copies.fds_.emplace_back(fd ? ::fcntl(fd.get(), F_DUPFD_CLOEXEC, 3) : -1);
    if (fd && !copies.fds_.back())
      return last_failure("duplicate a VM's descriptors");
  }
  return copies;
}

} // namespace crosvisor::io
