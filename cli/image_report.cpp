// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/image_report.hpp"

#include "crosvisor/cli/event_json.hpp"
#include "crosvisor/cli/json_parts.hpp"
#include "crosvisor/cli/vm_report.hpp"
#include "crosvisor/io/config/printable.hpp"
#include "crosvisor/messages/vm_event.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <tuple>

namespace crosvisor::cli {

namespace {

using json = nlohmann::ordered_json;
using row = std::array<std::string, 6>;

/// With one digit behind the point, where that says something.
std::string size_words(std::uint64_t bytes) {
  constexpr std::array<const char*, 5> units{"B", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < units.size()) {
    value /= 1024;
    ++unit;
  }
  std::array<char, 32> text{};
  auto is_whole =
    unit == 0 || value >= 100 || value == static_cast<double>(static_cast<std::uint64_t>(value));
  std::snprintf(text.data(), text.size(), "%.*f %s", is_whole ? 0 : 1, value, units[unit]);
  return text.data();
}

row row_of(const image_info& image, std::int64_t now_ms) {
  constexpr std::size_t shown_digits = 12;
  return {io::printable(image.name),
          size_words(image.size_bytes),
          image.in_use ? "in use" : "free",
          image.sha256.empty() ? "-" : io::printable(image.sha256).substr(0, shown_digits),
          io::printable(image.owner, 256),
          age(image.stored_ms, now_ms)};
}

std::string image_table(const std::vector<image_info>& images, std::int64_t now_ms) {
  constexpr std::size_t gap = 2;
  std::vector<row> rows{{"NAME", "SIZE", "STATE", "SHA256", "OWNER", "SINCE"}};
  for (const auto& image : images)
    rows.push_back(row_of(image, now_ms));
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

json image_json(const image_info& image) {
  return {{"name", image.name},     {"size_bytes", image.size_bytes},
          {"in_use", image.in_use}, {"sha256", image.sha256.empty() ? json() : json(image.sha256)},
          {"owner", image.owner},   {"stored", rfc3339(image.stored_ms)}};
}

} // namespace

std::string image_report(const std::vector<image_info>& images, output_format how,
                         std::int64_t now_ms) {
  if (how == output_format::table)
    return image_table(images, now_ms);
  if (how == output_format::jsonl) {
    std::string lines;
    for (const auto& image : images) {
      json object{{"schema", event_schema}};
      object.update(image_json(image));
      lines += json_text(object, false);
    }
    return lines;
  }
  auto all = json::array();
  for (const auto& image : images)
    all.push_back(image_json(image));
  return json_text({{"schema", event_schema}, {"images", all}}, true);
}

} // namespace crosvisor::cli
