// SPDX-License-Identifier: Apache-2.0
// Those parts of Markdown that the pages in docs/ are written in.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace crosvisor::pages {

/// A document by its lines, without their ends.
using lines = std::vector<std::string>;

/// Throws std::runtime_error where there is no such file.
lines read_lines(const std::string& path);

/// What stands between a page's title and its first section.
lines intro_of(const lines& page);

/// A section of the second level with all below it. Throws std::runtime_error where there is none
/// with this heading.
lines section_of(const lines& page, const std::string& heading);

/// Calls `change` for each line that is not within a fenced block; it may change the line.
void for_text_lines(lines& page, const std::function<void(std::string&)>& change);

/// The line with what `change` makes of each link's text and target in the link's place. A link is
/// taken for one where it stands on one line and in no code span.
std::string with_links(
  const std::string& line,
  const std::function<std::string(const std::string& text, const std::string& target)>& change);

/// Tables as lists of definitions, which fit on a line of 80 columns: the first cell is what is
/// defined; of the others each has its column's heading, where there is more than one.
lines with_lists_for_tables(const lines& page);

} // namespace crosvisor::pages
