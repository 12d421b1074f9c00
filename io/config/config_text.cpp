// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/config/config_text.hpp"

#include "crosvisor/io/config/bounded_read.hpp"
#include "crosvisor/io/config/json_document.hpp"
#include "crosvisor/io/config/printable.hpp"
#include "crosvisor/io/unique_fd.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

namespace crosvisor::io {

namespace {

/// Without blocking on what is no regular file.
result<std::string> read_regular_file(const std::string& path) {
  unique_fd fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)};
  if (!fd)
    return failure{errno, errno == ENOENT ? "no such file" : std::strerror(errno)};
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0)
    return failure{errno, std::strerror(errno)};
  if (S_ISDIR(info.st_mode))
    return failure{EISDIR, "is a directory; a configuration is a JSON file"};
  if (!S_ISREG(info.st_mode))
    return failure{0, "is not a regular file; a configuration is a JSON file"};
  return read_bounded(fd.get(), max_json_bytes + 1);
}

} // namespace

result<std::string> read_config_text(const std::string& path) {
  auto text = read_regular_file(path);
  if (!text)
    return failure{text.why().code, printable(path, 4096) + ": " + text.why().what};
  return text;
}

} // namespace crosvisor::io
