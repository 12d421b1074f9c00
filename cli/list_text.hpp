// SPDX-License-Identifier: Apache-2.0
// What commands print that list things.
#pragma once

#include "crosvisor/cli/arguments.hpp"

#include <nlohmann/json.hpp>

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace crosvisor::cli {

/// One line's, of a table: as many as the first line has.
using table_cells = std::vector<std::string>;

/// What a cell is shown as, by its line and column, counted from 0: the same width on a screen.
using cell_painter =
  std::function<std::string(std::size_t line, std::size_t column, const std::string& cell)>;

/// The columns are as wide as they must be, the last one as it comes.
/// @param paint may be null.
std::string table_text(const std::vector<table_cells>& lines, const cell_painter& paint = nullptr);

/// For programs: `{"schema":1,"NAME":[…]}`, or of `jsonl` one object a line, which begins with its
/// `schema`. Not for `table`.
std::string list_json(const std::string& name, std::vector<nlohmann::ordered_json> objects,
                      output_format how);

} // namespace crosvisor::cli
