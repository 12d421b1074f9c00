// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/print.hpp"

#include "crosvisor/cli/exit_code.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace crosvisor::cli {

namespace {

/// 0, or an errno value.
int write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    auto n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno != EINTR)
      return errno;
    if (n > 0)
      text.remove_prefix(static_cast<std::size_t>(n));
  }
  return 0;
}

} // namespace

int complain(int exit_code, const std::string& what) {
  write_all(STDERR_FILENO, "crosvisor: " + what + '\n');
  return exit_code;
}

void say(std::string_view text) {
  write_all(STDERR_FILENO, text);
}

int print(std::string_view text) {
  auto code = write_all(STDOUT_FILENO, text);
  if (code != 0 && code != EPIPE)
    return complain(failed, std::string{"standard output: "} + std::strerror(code));
  return code == 0 ? done : failed;
}

} // namespace crosvisor::cli
