// SPDX-License-Identifier: Apache-2.0
// JSON that people explain to each other: with comments.
#pragma once

#include "crosvisor/io/config/json_document.hpp"
#include "crosvisor/io/result.hpp"

#include <string>

namespace crosvisor::io {

/// The text of `source` with blanks in place of each byte of a comment, `// to the line's end` or
/// `/* to here */`, so that all else keeps its offset. What looks like a comment in a string is
/// none; comments do not nest. The only failure, in place, is a comment that does not end.
result<std::string> blank_comments(const json_source& source);

/// Parses JSON with comments; nothing but comments and blanks is an empty object. For errors, what
/// was written counts. The same bounds as parse_json()'s, comments included.
result<json_value> parse_commented_json(const json_source& source);

} // namespace crosvisor::io
