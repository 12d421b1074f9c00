// SPDX-License-Identifier: Apache-2.0
// Words of a stranger's, made fit to be shown to a person.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace crosvisor::io {

/// How much of a stranger's text is repeated in an error.
inline constexpr std::size_t max_shown_bytes = 80;

/// `text` without what would steer a terminal: control characters and bytes that are no UTF-8 come
/// out as `\xNN`. Cut with `...` after `limit` bytes.
std::string printable(std::string_view text, std::size_t limit = max_shown_bytes);

/// The same between double quotes.
std::string in_quotes(std::string_view text);

} // namespace crosvisor::io
