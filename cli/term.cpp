// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/term.hpp"

#include <unistd.h>

#include <cstdlib>
#include <string_view>

namespace crosvisor::cli {

namespace {

/// "Select Graphic Rendition" of ECMA-48, section 8.3.117.
const char* rendition_of(style how) noexcept {
  switch (how) {
    case style::plain: return "";
    case style::strong: return "\x1b[1m";
    case style::good: return "\x1b[32m";
    case style::bad: return "\x1b[31m";
    case style::dim: return "\x1b[2m";
  }
  return "";
}

bool is_set(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && *value != '\0';
}

} // namespace

term term::of(int fd) {
  const char* kind = std::getenv("TERM");
  bool dumb = kind == nullptr || std::string_view{kind} == "dumb";
  return term{::isatty(fd) == 1 && !dumb && !is_set("NO_COLOR")};
}

std::string term::paint(style how, const std::string& words) const {
  return colours_ && how != style::plain ? rendition_of(how) + words + "\x1b[0m" : words;
}

} // namespace crosvisor::cli
