// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/inspection.hpp"

#include "crosvisor/io/config/printable.hpp"
#include "crosvisor/messages/vm_event.hpp"

#include <algorithm>
#include <cctype>
#include <string_view>

namespace crosvisor::cli {

namespace {

constexpr std::string_view bytes_suffix = "_bytes";
constexpr std::size_t most_shown = 4096;
constexpr const char* gap = "  ";

bool counts_bytes(std::string_view key) {
  return key.ends_with(bytes_suffix);
}

/// `size_bytes` as `size`.
std::string name_of(std::string_view key) {
  if (counts_bytes(key))
    key.remove_suffix(bytes_suffix.size());
  std::string name{key};
  std::replace(name.begin(), name.end(), '_', ' ');
  return name;
}

std::string upper(std::string text) {
  for (auto& letter : text)
    letter = static_cast<char>(std::toupper(static_cast<unsigned char>(letter)));
  return text;
}

std::string shown(const ordered_facts& value, std::size_t limit) {
  switch (value.type()) {
    case ordered_facts::value_t::null: return "-";
    case ordered_facts::value_t::boolean: return value.get<bool>() ? "yes" : "no";
    case ordered_facts::value_t::string: {
      const auto& text = value.get_ref<const std::string&>();
      return text.empty() ? "-" : io::printable(text, limit);
    }
    default: return value.dump();
  }
}

/// In characters, of UTF-8.
std::size_t width(const std::string& text) {
  return static_cast<std::size_t>(
    std::count_if(text.begin(), text.end(), [](char byte) { return (byte & 0xc0) != 0x80; }));
}

std::string filled(const std::string& text, std::size_t columns) {
  auto has = width(text);
  return text + std::string(has < columns ? columns - has : 0, ' ');
}

using row = std::vector<std::string>;

/// Every column but the last one is as wide as its widest cell.
std::string lines_of(const std::vector<row>& rows, const std::string& indent) {
  std::vector<std::size_t> widest(rows.front().size());
  for (const auto& cells : rows)
    for (std::size_t i = 0; i < cells.size(); ++i)
      widest[i] = std::max(widest[i], width(cells[i]));
  std::string lines;
  for (const auto& cells : rows) {
    lines += indent;
    for (std::size_t i = 0; i + 1 < cells.size(); ++i)
      lines += filled(cells[i], widest[i]) + gap;
    lines += cells.back() + '\n';
  }
  return lines;
}

std::string columns(const ordered_facts& list, const std::string& indent) {
  std::vector<row> rows{{}};
  for (const auto& [key, value] : list.front().items())
    rows.front().push_back(upper(name_of(key)));
  for (const auto& object : list) {
    auto& cells = rows.emplace_back();
    for (const auto& [key, value] : object.items())
      cells.push_back(
        shown(value, cells.size() + 1 < object.size() ? io::max_shown_bytes : most_shown));
  }
  return lines_of(rows, indent);
}

/// Prints an object, and what is in it further to the right.
class table {
public:
  explicit table(const term& paint) : paint_(paint) {}

  std::string print(const ordered_facts& object, const std::string& indent = "") const {
    std::size_t widest = 0;
    for (const auto& [key, value] : object.items())
      if (key != "schema")
        widest = std::max(widest, width(name_of(key)));
    std::string text;
    for (const auto& [key, value] : object.items())
      if (key != "schema")
        text += item(key, value, indent, widest);
    return text;
  }

private:
  std::string item(const std::string& key, const ordered_facts& value, const std::string& indent,
                   std::size_t widest) const {
    auto name = name_of(key);
    auto begin = indent + filled(name, widest) + gap;
    auto further = indent + gap;
    if (value.is_object())
      return indent + paint_.paint(style::strong, name) + '\n' + print(value, further);
    if (value.is_array() && value.empty())
      return begin + paint_.paint(key == "problems" ? style::good : style::plain, "none") + '\n';
    if (value.is_array() && value.front().is_object())
      return indent + paint_.paint(style::strong, name) + '\n' + columns(value, further);
    if (!value.is_array())
      return begin + shown(value, most_shown)
             + (counts_bytes(key) && value.is_number() ? " bytes\n" : "\n");
    return texts(value, begin, key == "problems" ? style::bad : style::plain);
  }

  /// One a line, below each other.
  std::string texts(const ordered_facts& list, std::string begin, style how) const {
    std::string text;
    for (const auto& one : list) {
      text += begin + paint_.paint(how, shown(one, most_shown)) + '\n';
      begin.assign(begin.size(), ' ');
    }
    return text;
  }

  const term& paint_;
};

} // namespace

ordered_facts report_of(const inspection& from, const std::string& file, std::uint64_t size_bytes) {
  ordered_facts report{
    {"schema", event_schema}, {"file", file}, {"format", from.format}, {"size_bytes", size_bytes}};
  report.update(from.facts);
  report["remarks"] = from.remarks;
  report["problems"] = from.problems;
  return report;
}

std::string report_table(const ordered_facts& report, const term& paint) {
  return table{paint}.print(report);
}

std::string report_json(const ordered_facts& report, bool indented) {
  return report.dump(indented ? 2 : -1, ' ', true, ordered_facts::error_handler_t::replace) + '\n';
}

} // namespace crosvisor::cli
