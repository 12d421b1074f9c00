// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/docs/pages/navigation.hpp"

#include <algorithm>
#include <regex>
#include <set>

namespace crosvisor::pages {

namespace {

namespace fs = std::filesystem;

/// The pages of one folder, by name, each as it is called from the root.
std::vector<std::string> pages_in(const fs::path& docs, const std::string& folder) {
  std::vector<std::string> found;
  for (const auto& entry : fs::directory_iterator{docs / folder})
    if (entry.path().extension() == ".md")
      found.push_back((folder / entry.path().filename()).string());
  std::sort(found.begin(), found.end());
  return found;
}

/// A list of pages, which have their own titles.
void add_group(const std::string& title, const std::vector<std::string>& pages, lines& out) {
  if (pages.empty())
    return;
  out.push_back(title);
  for (const auto& page : pages)
    out.push_back("      - " + page);
}

} // namespace

lines with_pages(const lines& configuration, const fs::path& docs) {
  static const std::regex entry{R"re(( *- .*:) ("?)(\*|[a-z-]+/\*|[a-z-]+\.md)"?)re"};
  auto here = pages_in(docs, "");
  std::set<std::string> others{here.begin(), here.end()};
  lines out;
  for (const auto& line : configuration) {
    std::smatch parts;
    if (!std::regex_match(line, parts, entry)) {
      out.push_back(line);
      continue;
    }
    auto what = parts[3].str();
    if (what == "*")
      add_group(parts[1], {others.begin(), others.end()}, out);
    else if (what.ends_with("/*"))
      add_group(parts[1], pages_in(docs, what.substr(0, what.size() - 2)), out);
    else if (others.erase(what) != 0)
      out.push_back(line);
  }
  return out;
}

} // namespace crosvisor::pages
