// SPDX-License-Identifier: Apache-2.0
// Which known word somebody may have meant.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace crosvisor::io {

/// The word of `known` that the fewest edits (insert, delete, replace or swap neighbours) make of
/// `word`; nothing when none is near enough to be meant: about one edit in three characters. The
/// first of several as near wins.
std::optional<std::string> nearest_word(std::string_view word,
                                        const std::vector<std::string>& known);

} // namespace crosvisor::io
