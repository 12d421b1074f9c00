// SPDX-License-Identifier: Apache-2.0
#include "status_line.hpp"

#include "number.hpp"

#include <cstdio>
#include <cstring>

namespace crosvisor::guest {

namespace {

constexpr std::string_view end_of_line = "}\n";

/// The bytes of the character at the front; 0 when it is none in UTF-8.
std::size_t character_size(std::string_view text) {
  auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  auto first = byte(0);
  if (first < 0x80)
    return 1;
  std::size_t size = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < size)
    return 0;
  // What would be longer than need be, half of a pair, or beyond the last character.
  if ((first == 0xE0 && byte(1) < 0xA0) || (first == 0xED && byte(1) > 0x9F)
      || (first == 0xF0 && byte(1) < 0x90) || (first == 0xF4 && byte(1) > 0x8F))
    return 0;
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0) != 0x80)
      return 0;
  }
  return size;
}

bool is_plain(char character) {
  return static_cast<unsigned char>(character) >= 0x20 && character != '"' && character != '\\';
}

} // namespace

status_line::status_line(std::string_view status) {
  put("{\"status\":\"");
  put(status);
  put("\"");
}

bool status_line::put(std::string_view text) {
  // Room for a text's quote, too.
  if (size_ + text.size() + 1 + end_of_line.size() > most)
    return false;
  std::memcpy(text_ + size_, text.data(), text.size());
  size_ += text.size();
  return true;
}

void status_line::add_number(std::string_view key, std::int64_t value) {
  char digits[24];
  auto size = std::snprintf(digits, sizeof digits, "%lld", static_cast<long long>(value));
  put(",\"");
  put(key);
  put("\":");
  put({digits, static_cast<std::size_t>(size)});
}

void status_line::add_text(std::string_view key, std::string_view value) {
  put(",\"");
  put(key);
  put("\":\"");
  while (!value.empty()) {
    char escape[8];
    auto size = character_size(value);
    auto whole = std::string_view{value.data(), size};
    if (size == 0) {
      whole = "\\ufffd";
    } else if (size == 1 && !is_plain(value[0])) {
      whole = {escape, static_cast<std::size_t>(
                         std::snprintf(escape, sizeof escape, "\\u%04x", unsigned(value[0])))};
    }
    if (!put(whole))
      break;
    value.remove_prefix(size == 0 ? 1 : size);
  }
  text_[size_++] = '"';
}

std::string_view status_line::finish() {
  std::memcpy(text_ + size_, end_of_line.data(), end_of_line.size());
  size_ += end_of_line.size();
  return {text_, size_};
}

parsed_status parse_status(const char* const* words, int count) {
  if (count < 1)
    return {};
  std::string_view status = words[0];
  parsed_status parsed{status_line{status}, 0};
  if (status == "started" || status == "ready")
    parsed.words = 1;
  auto code = count > 1 ? parse_number(words[1]) : number{};
  if (status == "finished" && code.valid && code.value <= INT32_MAX) {
    parsed.line.add_number("exit_code", static_cast<std::int64_t>(code.value));
    parsed.words = 2;
  } else if (status == "error" && code.valid && code.value <= 3 && count > 2) {
    parsed.line.add_number("code", static_cast<std::int64_t>(code.value));
    parsed.line.add_text("message", words[2]);
    parsed.words = 3;
  }
  return parsed;
}

} // namespace crosvisor::guest
