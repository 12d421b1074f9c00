// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/progress_bar.hpp"

#include "crosvisor/cli/print.hpp"
#include "crosvisor/cli/term.hpp"
#include "crosvisor/io/config/printable.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

namespace crosvisor::cli {

namespace {

constexpr std::chrono::milliseconds quick{500};
constexpr std::size_t bar_width = 20;
constexpr std::size_t name_width = 40;

std::string number(double value, int digits, const char* unit) {
  std::array<char, 48> text{};
  std::snprintf(text.data(), text.size(), "%.*f %s", digits, value, unit);
  return text.data();
}

std::string rate_text(double bytes_per_second) {
  if (bytes_per_second >= 1e9)
    return number(bytes_per_second / 1e9, 1, "GB/s");
  return number(bytes_per_second / 1e6, bytes_per_second < 1e7 ? 1 : 0, "MB/s");
}

} // namespace

std::string progress_line(const std::string& name, std::uint64_t done, std::uint64_t total,
                          std::chrono::milliseconds elapsed) {
  auto share =
    total == 0 ? 1.0 : std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
  auto filled = static_cast<std::size_t>(share * static_cast<double>(bar_width));
  std::array<char, 16> percent{};
  std::snprintf(percent.data(), percent.size(), "%3.0f %%", share * 100);
  auto line = io::printable(name, name_width) + "  [" + std::string(filled, '#')
              + std::string(bar_width - filled, '-') + "]  " + percent.data();
  auto seconds = std::chrono::duration<double>(elapsed).count();
  if (seconds <= 0 || done == 0)
    return line;
  auto rate = static_cast<double>(done) / seconds;
  return line + "  " + rate_text(rate) + "  "
         + number(static_cast<double>(total - std::min(done, total)) / rate, 1, "s left");
}

progress_bar::progress_bar(std::string name)
    : name_(std::move(name)), wanted_(term::of(STDERR_FILENO).colours()) {}

progress_bar::~progress_bar() {
  if (drawn_)
    say("\r\x1b[K");
}

void progress_bar::show(std::uint64_t done, std::uint64_t total) {
  auto elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(clock::now() - began_);
  if (!wanted_ || elapsed < quick)
    return;
  drawn_ = true;
  say('\r' + progress_line(name_, done, total, elapsed) + "\x1b[K");
}

} // namespace crosvisor::cli
