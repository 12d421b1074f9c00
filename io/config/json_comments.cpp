// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/config/json_comments.hpp"

#include <algorithm>
#include <string_view>

namespace crosvisor::io {

namespace {

/// Behind the string that begins at `begin`; one that does not end is the parser's to refuse.
std::size_t skip_string(std::string_view text, std::size_t begin) {
  for (auto i = begin + 1; i < text.size(); ++i) {
    if (text[i] == '\\')
      ++i;
    else if (text[i] == '"')
      return i + 1;
  }
  return text.size();
}

/// Behind the comment that begins at `begin`; npos: it does not end. A line's end is not part of
/// its comment.
std::size_t skip_comment(std::string_view text, std::size_t begin) {
  if (text[begin + 1] == '/')
    return std::min(text.find('\n', begin), text.size());
  auto end = text.find("*/", begin + 2);
  return end == std::string_view::npos ? end : end + 2;
}

bool begins_comment(std::string_view text, std::size_t at) {
  auto mark = text.substr(at, 2);
  return mark == "//" || mark == "/*";
}

void blank(std::string& text, std::size_t begin, std::size_t end) {
  for (auto i = begin; i < end; ++i)
    if (text[i] != '\n')
      text[i] = ' ';
}

} // namespace

result<std::string> blank_comments(const json_source& source) {
  std::string text{source.text()};
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] == '"') {
      i = skip_string(text, i);
    } else if (begins_comment(text, i)) {
      auto end = skip_comment(text, i);
      if (end == std::string::npos)
        return source.complain(i, "the comment that begins here does not end");
      blank(text, i, end);
      i = end;
    } else {
      ++i;
    }
  }
  return text;
}

result<json_value> parse_commented_json(const json_source& source) {
  if (auto fits = check_size(source); !fits)
    return fits.why();
  auto text = blank_comments(source);
  if (!text)
    return text.why();
  auto first =
    text->find_first_not_of(" \t\r\n", source.begins_with_mark() ? byte_order_mark.size() : 0);
  if (first == std::string::npos) {
    json_value nothing;
    nothing.kind = json_kind::object;
    return nothing;
  }
  return parse_json(json_source{*text, source});
}

} // namespace crosvisor::io
