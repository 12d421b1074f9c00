// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/bench/summary.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <ostream>

namespace crosvisor::bench {

namespace {

using cells = std::array<std::string, 6>;

cells cells_of(const summary::row& from) {
  auto verdict = from.target.empty() ? "" : from.met ? "met" : "missed";
  return {from.figure, from.ours, from.rival, from.comparison, from.target, verdict};
}

} // namespace

void summary::print(std::ostream& out) const {
  std::vector<cells> lines{{"figure", "ours", "rival", "compared", "target", ""}};
  for (const auto& each : rows_)
    lines.push_back(cells_of(each));
  std::array<std::size_t, 6> widths{};
  for (const auto& line : lines)
    for (std::size_t i = 0; i < line.size(); ++i)
      widths[i] = std::max(widths[i], line[i].size());
  out << '\n';
  for (const auto& line : lines) {
    for (std::size_t i = 0; i < line.size(); ++i)
      out << fmt::format("{:<{}}  ", line[i], widths[i]);
    out << '\n';
  }
  for (const auto& text : notes_)
    out << "note: " << text << '\n';
}

std::string duration_text(double seconds) {
  auto size = std::fabs(seconds);
  if (size < 0.9995e-3)
    return fmt::format("{:.0f} us", seconds * 1e6);
  if (size < 0.9995)
    return fmt::format("{:.2f} ms", seconds * 1e3);
  return fmt::format("{:.2f} s", seconds);
}

std::string difference_text(double seconds) {
  return fmt::format("{}{}", seconds < 0 ? "" : "+", duration_text(seconds));
}

std::string ratio_text(double ours, double rival) {
  return rival > 0 ? fmt::format("{:.0f} %", 100 * ours / rival) : std::string{"-"};
}

std::string rate_text(double per_second, const std::string& of) {
  return fmt::format("{:.0f} {}/s", per_second, of);
}

std::string kib_text(double bytes) {
  return fmt::format("{:.1f} KiB", bytes / 1024);
}

} // namespace crosvisor::bench
