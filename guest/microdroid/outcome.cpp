// SPDX-License-Identifier: Apache-2.0
#include "outcome.hpp"

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstring>

namespace crosvisor::guest {

outcome wrong(cause why, const char* format, ...) {
  outcome made{why};
  va_list rest;
  va_start(rest, format);
  std::vsnprintf(made.message, sizeof made.message, format, rest);
  va_end(rest);
  return made;
}

outcome wrong_by_errno(cause why, const char* format, ...) {
  auto* reason = std::strerror(errno);
  outcome made{why};
  va_list rest;
  va_start(rest, format);
  std::vsnprintf(made.message, sizeof made.message, format, rest);
  va_end(rest);
  auto size = std::strlen(made.message);
  std::snprintf(made.message + size, sizeof made.message - size, ": %s", reason);
  return made;
}

} // namespace crosvisor::guest
