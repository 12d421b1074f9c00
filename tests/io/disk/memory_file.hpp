// SPDX-License-Identifier: Apache-2.0
// A file in memory that children inherit, under the path by which composite disks name it.
#pragma once

#include "crosvisor/io/unique_fd.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <string>

namespace crosvisor::tests {

class memory_file {
public:
  explicit memory_file(const std::string& content) : fd_(::memfd_create("test", 0)) {
    std::size_t done = 0;
    while (done < content.size()) {
      auto n = ::write(fd_.get(), content.data() + done, content.size() - done);
      if (n <= 0)
        break;
      done += static_cast<std::size_t>(n);
    }
  }

  int fd() const { return fd_.get(); }
  std::string path() const { return "/proc/self/fd/" + std::to_string(fd_.get()); }

  std::string content() const {
    std::string text(static_cast<std::size_t>(::lseek(fd_.get(), 0, SEEK_END)), '\0');
    auto n = ::pread(fd_.get(), text.data(), text.size(), 0);
    text.resize(n < 0 ? 0 : static_cast<std::size_t>(n));
    return text;
  }

  /// The same file through a descriptor of its own with another mode, inherited too.
  io::unique_fd reopen(int mode) const { return io::unique_fd{::open(path().c_str(), mode)}; }

private:
  io::unique_fd fd_;
};

} // namespace crosvisor::tests
