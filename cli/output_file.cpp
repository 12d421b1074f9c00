// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/output_file.hpp"

#include "crosvisor/io/config/printable.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace crosvisor::cli {

namespace {

io::result<io::unique_fd> standard_output() {
  io::unique_fd copy{::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)};
  if (!copy)
    return io::last_failure("standard output");
  return copy;
}

bool is_same(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

bool is_open_in(const io::descriptor_set& inputs, const struct stat& info) {
  for (std::uint32_t i = 0; i < inputs.size(); ++i) {
    struct stat input {};
    if (::fstat(inputs.get(i), &input) == 0 && is_same(input, info))
      return true;
  }
  return false;
}

std::string open_problem(int code) {
  if (code == ENXIO)
    return "is a FIFO that nobody reads, or a socket";
  if (code == ENOENT)
    return "no such folder";
  return code == EISDIR ? "is a directory" : std::strerror(code);
}

} // namespace

io::result<io::unique_fd> open_output(const std::string& path, const io::descriptor_set& inputs) {
  if (path == "-")
    return standard_output();
  auto label = io::in_quotes(path);
  auto flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  io::unique_fd fd{::open(path.c_str(), flags, 0600)};
  if (!fd) {
    auto code = errno;
    return io::failure{code, label + ": " + open_problem(code)};
  }
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0)
    return io::last_failure(label);
  if (S_ISBLK(info.st_mode) || is_open_in(inputs, info))
    return io::failure{0, label + ": is a disk or a file of the VM's; give another one"};
  if (S_ISREG(info.st_mode) && ::ftruncate(fd.get(), 0) != 0)
    return io::last_failure(label);
  if (::fcntl(fd.get(), F_SETFL, O_APPEND) != 0)
    return io::last_failure(label);
  return fd;
}

void fill_standard_descriptors() {
  for (int fd = ::open("/dev/null", O_RDWR | O_CLOEXEC); fd >= 0; fd = ::dup(fd)) {
    if (fd > STDERR_FILENO) {
      ::close(fd);
      return;
    }
  }
}

} // namespace crosvisor::cli
