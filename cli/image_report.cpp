// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/image_report.hpp"

#include "crosvisor/cli/event_json.hpp"
#include "crosvisor/cli/list_text.hpp"
#include "crosvisor/cli/vm_report.hpp"
#include "crosvisor/io/config/printable.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <iterator>
#include <utility>

namespace crosvisor::cli {

namespace {

using json = nlohmann::ordered_json;

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

table_cells row_of(const image_info& image, std::int64_t now_ms) {
  constexpr std::size_t shown_digits = 12;
  return {io::printable(image.name),
          size_words(image.size_bytes),
          image.in_use ? "in use" : "free",
          image.sha256.empty() ? "-" : io::printable(image.sha256).substr(0, shown_digits),
          io::printable(image.owner, 256),
          age(image.stored_ms, now_ms)};
}

std::string image_table(const std::vector<image_info>& images, std::int64_t now_ms) {
  std::vector<table_cells> rows{{"NAME", "SIZE", "STATE", "SHA256", "OWNER", "SINCE"}};
  for (const auto& image : images)
    rows.push_back(row_of(image, now_ms));
  return table_text(rows);
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
  std::vector<json> all;
  std::transform(images.begin(), images.end(), std::back_inserter(all), image_json);
  return list_json("images", std::move(all), how);
}

} // namespace crosvisor::cli
