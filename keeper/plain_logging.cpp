// SPDX-License-Identifier: Apache-2.0
// The log of a process that is to stay small: the lines of io/logging.cpp without spdlog, and with
// a `<N>` priority, since it is journald or a file of the service's that reads them.
#include "crosvisor/io/logging.hpp"

#include <unistd.h>

#include <atomic>
#include <string>

namespace crosvisor::log {

namespace {

std::atomic<level> least_in_use{level::warn};
std::atomic<line_writer> writer_in_use{nullptr};

const char* priority(level of) noexcept {
  switch (of) {
    case level::debug: return "<7>";
    case level::info: return "<6>";
    case level::warn: return "<4>";
    default: return "<3>";
  }
}

void write_line(level of, const about_vm* vm, std::string_view line) {
  if (auto writer = writer_in_use.load())
    return writer(of, vm, line);
  if (!enabled(of))
    return;
  // One write, so that lines of several processes don't mix; a reader that has gone stops nothing.
  auto text = priority(of) + std::string{"crosvisor-keeper: "}.append(line) + "\n";
  [[maybe_unused]] auto written = ::write(STDERR_FILENO, text.data(), text.size());
}

} // namespace

bool stderr_is_journal() {
  return true;
}

void write_to(line_writer writer) noexcept {
  writer_in_use.store(writer);
}

void set_level(level least) {
  least_in_use.store(least);
}

bool enabled(level of) noexcept {
  return of >= least_in_use.load() && of != level::off;
}

void write(level of, const about_vm* vm, fmt::string_view format, fmt::format_args args) {
  write_line(of, vm, fmt::vformat(format, args));
}

} // namespace crosvisor::log
