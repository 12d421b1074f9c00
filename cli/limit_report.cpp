// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/limit_report.hpp"

#include "crosvisor/cli/json_parts.hpp"
#include "crosvisor/io/config/printable.hpp"
#include "crosvisor/messages/vm_event.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <tuple>

namespace crosvisor::cli {

namespace {

using json = nlohmann::ordered_json;
using row = std::array<std::string, 5>;

row row_of(const limit_info& limit) {
  return {io::printable(limit.name), std::to_string(limit.used), std::to_string(limit.limit),
          std::to_string(limit.refused), limit.key.empty() ? "-" : io::printable(limit.key)};
}

/// The columns are as wide as they must be, the last one as it comes.
std::string limit_table(const std::vector<limit_info>& limits) {
  constexpr std::size_t gap = 2;
  std::vector<row> rows{{"LIMIT", "USED", "OF", "REFUSED", "KEY"}};
  std::transform(limits.begin(), limits.end(), std::back_inserter(rows), row_of);
  std::array<std::size_t, std::tuple_size_v<row>> widths{};
  for (const auto& cells : rows)
    for (std::size_t i = 0; i < cells.size(); ++i)
      widths[i] = std::max(widths[i], cells[i].size() + gap);
  std::string text;
  for (const auto& cells : rows) {
    for (std::size_t i = 0; i + 1 < cells.size(); ++i)
      text += cells[i] + std::string(widths[i] - cells[i].size(), ' ');
    text += cells.back() + '\n';
  }
  return text;
}

json limit_json(const limit_info& limit) {
  return {{"name", limit.name},
          {"used", limit.used},
          {"limit", limit.limit},
          {"refused", limit.refused},
          {"key", limit.key.empty() ? json() : json(limit.key)}};
}

} // namespace

std::string limit_report(const std::vector<limit_info>& limits, output_format how) {
  if (how == output_format::table)
    return limit_table(limits);
  if (how == output_format::jsonl) {
    std::string lines;
    for (const auto& limit : limits) {
      json object{{"schema", event_schema}};
      object.update(limit_json(limit));
      lines += json_text(object, false);
    }
    return lines;
  }
  json all = json::array();
  for (const auto& limit : limits)
    all.push_back(limit_json(limit));
  return json_text({{"schema", event_schema}, {"limits", all}}, true);
}

} // namespace crosvisor::cli
