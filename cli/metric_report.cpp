// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/metric_report.hpp"

#include "crosvisor/cli/list_text.hpp"
#include "crosvisor/io/config/printable.hpp"

#include <array>
#include <cmath>
#include <cstdio>
#include <utility>

namespace crosvisor::cli {

namespace {

using json = nlohmann::ordered_json;

/// Whole numbers without a point.
std::string number_text(double value) {
  constexpr double exact = 9e15;
  std::array<char, 64> text{};
  auto whole = std::abs(value) < exact && std::trunc(value) == value;
  std::snprintf(text.data(), text.size(), whole ? "%.0f" : "%.6g", value);
  return text.data();
}

json number_json(double value) {
  constexpr double exact = 9e15;
  return std::abs(value) < exact && std::trunc(value) == value
           ? json(static_cast<std::int64_t>(value))
           : json(value);
}

std::string title_of(const metric_family& family, const metric_sample& sample) {
  std::string text = family.name;
  for (const auto& label : sample.labels)
    text += (&label == &sample.labels.front() ? "{" : ",") + label.name + '='
            + io::in_quotes(label.value);
  return sample.labels.empty() ? text : text + '}';
}

std::string value_text(const metric_family& family, const metric_sample& sample) {
  if (family.kind != metric_kind::histogram)
    return number_text(sample.value);
  auto count = std::to_string(sample.count);
  if (sample.count == 0)
    return count;
  return count + ", mean " + number_text(sample.value / static_cast<double>(sample.count));
}

std::string metric_table(const std::vector<metric_family>& families) {
  std::vector<table_cells> rows{{"METRIC", "VALUE"}};
  for (const auto& family : families)
    for (const auto& sample : family.samples)
      rows.push_back({io::printable(title_of(family, sample), 512), value_text(family, sample)});
  return table_text(rows);
}

json sample_json(const metric_family& family, const metric_sample& sample) {
  json labels = json::object();
  for (const auto& label : sample.labels)
    labels[label.name] = label.value;
  if (family.kind != metric_kind::histogram)
    return {{"labels", labels}, {"value", number_json(sample.value)}};
  json buckets = json::array();
  for (const auto& bucket : sample.buckets)
    buckets.push_back({{"le", bucket.upper}, {"count", bucket.count}});
  return {{"labels", labels},
          {"count", sample.count},
          {"sum", number_json(sample.value)},
          {"buckets", buckets}};
}

/// Each sample by itself.
std::string metric_lines(const std::vector<metric_family>& families) {
  std::vector<json> all;
  for (const auto& family : families)
    for (const auto& sample : family.samples) {
      json object{{"name", family.name}, {"kind", to_string(family.kind)}};
      object.update(sample_json(family, sample));
      all.push_back(std::move(object));
    }
  return list_json("metrics", std::move(all), output_format::jsonl);
}

} // namespace

std::string metric_report(const std::vector<metric_family>& families, output_format how) {
  if (how == output_format::table)
    return metric_table(families);
  if (how == output_format::jsonl)
    return metric_lines(families);
  std::vector<json> all;
  for (const auto& family : families) {
    json samples = json::array();
    for (const auto& sample : family.samples)
      samples.push_back(sample_json(family, sample));
    all.push_back({{"name", family.name},
                   {"kind", to_string(family.kind)},
                   {"help", family.help},
                   {"samples", samples}});
  }
  return list_json("metrics", std::move(all), how);
}

} // namespace crosvisor::cli
