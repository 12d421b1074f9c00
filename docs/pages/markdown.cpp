// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/docs/pages/markdown.hpp"

#include <algorithm>
#include <fstream>
#include <stdexcept>

namespace crosvisor::pages {

namespace {

bool is_fence(const std::string& line) {
  return line.starts_with("```");
}

/// The first line from `begin` on that is a heading of this level or above it, in no fenced block.
lines::const_iterator find_heading(lines::const_iterator begin, lines::const_iterator end,
                                   std::size_t level) {
  bool fenced = false;
  return std::find_if(begin, end, [&](const std::string& line) {
    fenced ^= is_fence(line);
    auto marks = line.find_first_not_of('#');
    return !fenced && marks != 0 && marks <= level && marks != std::string::npos
           && line[marks] == ' ';
  });
}

std::string trimmed(const std::string& text) {
  auto first = text.find_first_not_of(' ');
  if (first == std::string::npos)
    return "";
  return text.substr(first, text.find_last_not_of(' ') - first + 1);
}

/// A row's cells. A bar behind a backslash is the cell's own.
std::vector<std::string> cells_of(const std::string& row) {
  std::vector<std::string> cells{""};
  for (std::size_t i = 1; i < row.size(); ++i) {
    if (row[i] == '\\' && i + 1 < row.size() && row[i + 1] == '|')
      cells.back() += row[++i];
    else if (row[i] == '|')
      cells.emplace_back();
    else
      cells.back() += row[i];
  }
  cells.pop_back(); // What follows the last bar.
  std::transform(cells.begin(), cells.end(), cells.begin(), trimmed);
  return cells;
}

bool is_rule(const std::string& line) {
  return line.starts_with("|-") && line.find_first_not_of("|-: ") == std::string::npos;
}

std::string definition_of(const std::vector<std::string>& heading,
                          const std::vector<std::string>& cells) {
  std::string text;
  for (std::size_t i = 1; i < cells.size(); ++i) {
    if (cells[i].empty())
      continue;
    bool named = cells.size() > 2 && i < heading.size() && !heading[i].empty();
    text += (text.empty() ? "" : "; ") + (named ? heading[i] + ": " : "") + cells[i];
  }
  return text;
}

/// Appends the table that begins at `row` as a list; the line after it.
lines::const_iterator add_list(lines::const_iterator row, lines::const_iterator end, lines& out) {
  auto heading = cells_of(*row);
  for (row += 2; row != end && row->starts_with('|'); ++row) {
    auto cells = cells_of(*row);
    auto term = cells.front().empty() ? "(none)" : cells.front();
    out.insert(out.end(), {term, ":   " + definition_of(heading, cells), ""});
  }
  return row;
}

} // namespace

lines read_lines(const std::string& path) {
  std::ifstream file{path};
  if (!file)
    throw std::runtime_error{path + ": can't be read"};
  lines all;
  for (std::string line; std::getline(file, line);)
    all.push_back(line);
  return all;
}

lines intro_of(const lines& page) {
  auto title = find_heading(page.begin(), page.end(), 1);
  auto begin = title == page.end() ? page.begin() : title + 1;
  return {begin, find_heading(begin, page.end(), 2)};
}

lines section_of(const lines& page, const std::string& heading) {
  for (auto at = find_heading(page.begin(), page.end(), 2); at != page.end();
       at = find_heading(at + 1, page.end(), 2))
    if (*at == "## " + heading)
      return {at, find_heading(at + 1, page.end(), 2)};
  throw std::runtime_error{"there is no section \"" + heading + '"'};
}

void for_text_lines(lines& page, const std::function<void(std::string&)>& change) {
  bool fenced = false;
  for (auto& line : page) {
    fenced ^= is_fence(line);
    if (!fenced && !is_fence(line))
      change(line);
  }
}

std::string with_links(
  const std::string& line,
  const std::function<std::string(const std::string& text, const std::string& target)>& change) {
  std::string out;
  bool code = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    code ^= line[i] == '`';
    auto middle = line[i] == '[' && !code ? line.find("](", i) : std::string::npos;
    auto end = middle == std::string::npos ? middle : line.find(')', middle);
    if (end == std::string::npos) {
      out += line[i];
      continue;
    }
    out += change(line.substr(i + 1, middle - i - 1), line.substr(middle + 2, end - middle - 2));
    i = end;
  }
  return out;
}

lines with_lists_for_tables(const lines& page) {
  lines out;
  bool fenced = false;
  for (auto line = page.begin(); line != page.end();) {
    fenced ^= is_fence(*line);
    bool table = !fenced && line->starts_with('|') && line + 1 != page.end() && is_rule(line[1]);
    if (table)
      line = add_list(line, page.end(), out);
    else
      out.push_back(*line++);
  }
  return out;
}

} // namespace crosvisor::pages
