// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/disk/composite_part.hpp"

#include "crosvisor/io/config/printable.hpp"

#include <string_view>

namespace crosvisor::io {

namespace {

failure bad(const std::string& text, const std::string& what) {
  return {0, in_quotes(text) + ": " + what + "; a partition is LABEL:FILE[:writable][:GUID]"};
}

/// What stands behind the last colon of `rest`, which must have a file before it.
std::string last_word(const std::string& rest) {
  auto colon = rest.rfind(':');
  return colon == std::string::npos || colon == 0 ? std::string{} : rest.substr(colon + 1);
}

void take_off(std::string& rest, const std::string& word) {
  rest.resize(rest.size() - word.size() - 1);
}

} // namespace

result<composite_part> parse_composite_part(const std::string& text) {
  auto colon = text.find(':');
  if (colon == std::string::npos)
    return bad(text, "has no colon");
  composite_part part;
  part.label = text.substr(0, colon);
  if (auto problem = label_problem(part.label))
    return bad(text, "its label " + *problem);
  auto rest = text.substr(colon + 1);
  if (auto word = last_word(rest); valid_guid(word)) {
    part.guid = word;
    take_off(rest, word);
  }
  if (auto word = last_word(rest); word == "writable") {
    part.writable = true;
    take_off(rest, word);
  }
  if (rest.empty() || rest.find('\0') != std::string::npos)
    return bad(text, "has no file");
  part.path = rest;
  return part;
}

} // namespace crosvisor::io
