// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/list_text.hpp"

#include "crosvisor/cli/json_parts.hpp"
#include "crosvisor/messages/vm_event.hpp"

#include <algorithm>
#include <utility>

namespace crosvisor::cli {

std::string table_text(const std::vector<table_cells>& lines, const cell_painter& paint) {
  constexpr std::size_t gap = 2;
  std::vector<std::size_t> widths;
  for (const auto& cells : lines) {
    widths.resize(std::max(widths.size(), cells.size()));
    for (std::size_t i = 0; i < cells.size(); ++i)
      widths[i] = std::max(widths[i], cells[i].size() + gap);
  }
  std::string text;
  for (std::size_t line = 0; line < lines.size(); ++line) {
    const auto& cells = lines[line];
    for (std::size_t i = 0; i < cells.size(); ++i) {
      text += paint ? paint(line, i, cells[i]) : cells[i];
      if (i + 1 < cells.size())
        text += std::string(widths[i] - cells[i].size(), ' ');
    }
    text += '\n';
  }
  return text;
}

std::string list_json(const std::string& name, std::vector<nlohmann::ordered_json> objects,
                      output_format how) {
  if (how == output_format::json)
    return json_text({{"schema", event_schema}, {name, std::move(objects)}}, true);
  std::string lines;
  for (const auto& each : objects) {
    nlohmann::ordered_json object{{"schema", event_schema}};
    object.update(each);
    lines += json_text(object, false);
  }
  return lines;
}

} // namespace crosvisor::cli
