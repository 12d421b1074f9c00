// SPDX-License-Identifier: Apache-2.0
// Images of tests, and the bytes of a composite disk as a guest sees them.
#pragma once

#include "crosvisor/io/disk/composite_file.hpp"
#include "crosvisor/io/file_bytes.hpp"
#include "crosvisor/io/unique_fd.hpp"
#include "crosvisor/tests/io/temp_dir.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <functional>
#include <stdexcept>
#include <string>

namespace crosvisor::tests {

inline std::string golden(const std::string& name) {
  auto bytes = read_file(std::string{CROSVISOR_TEST_GOLDEN} + "/" + name);
  if (bytes.empty())
    throw std::runtime_error("golden file " + name + " is missing");
  return bytes;
}

/// A file in memory, open for reading and writing.
inline io::unique_fd memory_image(const std::string& content) {
  io::unique_fd fd{::memfd_create("image", MFD_CLOEXEC)};
  if (!io::write_at(fd.get(), 0, content))
    throw std::runtime_error("writing a memory file");
  return fd;
}

/// All of a small file.
inline std::string bytes_of(int fd) {
  struct stat is {};
  ::fstat(fd, &is);
  auto bytes = io::read_at(fd, 0, static_cast<std::size_t>(is.st_size));
  return bytes ? *bytes : throw std::runtime_error(bytes.why().what);
}

/// The disk that raw components make.
inline std::string assemble(const io::composite_file& file,
                            const std::function<std::string(const std::string&)>& read) {
  std::string disk;
  for (std::size_t i = 0; i < file.components.size(); ++i) {
    const auto& component = file.components[i];
    auto last = i + 1 == file.components.size();
    auto size = (last ? file.size_bytes : file.components[i + 1].offset) - component.offset;
    auto bytes = read(component.path).substr(component.file_offset, size);
    if (disk.size() != component.offset || bytes.size() != size)
      throw std::runtime_error("component " + component.path + " does not fill its place");
    disk += bytes;
  }
  return disk;
}

} // namespace crosvisor::tests
