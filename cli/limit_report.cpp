// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/limit_report.hpp"

#include "crosvisor/cli/list_text.hpp"
#include "crosvisor/io/config/printable.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace crosvisor::cli {

namespace {

using json = nlohmann::ordered_json;

table_cells row_of(const limit_info& limit) {
  return {io::printable(limit.name), std::to_string(limit.used), std::to_string(limit.limit),
          std::to_string(limit.refused), limit.key.empty() ? "-" : io::printable(limit.key)};
}

std::string limit_table(const std::vector<limit_info>& limits) {
  std::vector<table_cells> rows{{"LIMIT", "USED", "OF", "REFUSED", "KEY"}};
  std::transform(limits.begin(), limits.end(), std::back_inserter(rows), row_of);
  return table_text(rows);
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
  std::vector<json> all;
  std::transform(limits.begin(), limits.end(), std::back_inserter(all), limit_json);
  return list_json("limits", std::move(all), how);
}

} // namespace crosvisor::cli
