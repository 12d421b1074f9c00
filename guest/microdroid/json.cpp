// SPDX-License-Identifier: Apache-2.0
#include "json.hpp"

#include <cstring>
#include <string_view>

namespace crosvisor::guest {

namespace {

constexpr int most_levels = 32;

bool is_digit(char character) {
  return character >= '0' && character <= '9';
}

/// In UTF-8, which takes no more room than the escape did.
char* put_character(char* to, unsigned long code) {
  auto put = [&](unsigned long byte) { *to++ = static_cast<char>(byte); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | code >> 6);
    put(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    put(0xE0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  } else {
    put(0xF0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3F));
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  }
  return to;
}

} // namespace

char json_reader::peek() {
  while (at_ < end_ && (*at_ == ' ' || *at_ == '\t' || *at_ == '\n' || *at_ == '\r'))
    ++at_;
  return good_ && at_ < end_ ? *at_ : '\0';
}

bool json_reader::take(char expected) {
  if (peek() != expected)
    return fail();
  ++at_;
  return true;
}

const char* json_reader::next_key(bool first) {
  if (peek() == '}') {
    ++at_;
    return nullptr;
  }
  if (!first && !take(','))
    return nullptr;
  auto* key = string();
  return key != nullptr && take(':') ? key : nullptr;
}

bool json_reader::next_element(bool first) {
  if (peek() == ']') {
    ++at_;
    return false;
  }
  return first ? good_ : take(',');
}

const char* json_reader::string() {
  if (!take('"'))
    return nullptr;
  auto* begin = at_;
  auto* to = at_;
  while (at_ < end_ && *at_ != '"') {
    if (static_cast<unsigned char>(*at_) < 0x20)
      break;
    if (*at_ == '\\') {
      if (!decode_escape(to))
        return nullptr;
    } else {
      *to++ = *at_++;
    }
  }
  if (at_ == end_ || *at_ != '"') {
    fail();
    return nullptr;
  }
  *to = '\0'; // At the closing quote, or before it.
  ++at_;
  return begin;
}

long json_reader::hex_digits() {
  long value = 0;
  if (end_ - at_ < 4)
    return -1;
  for (auto i = 0; i < 4; ++i) {
    auto digit = *at_++;
    auto letter = static_cast<char>(digit | 0x20);
    if (is_digit(digit))
      value = value * 16 + (digit - '0');
    else if (letter >= 'a' && letter <= 'f')
      value = value * 16 + (letter - 'a' + 10);
    else
      return -1;
  }
  return value;
}

bool json_reader::decode_escape(char*& to) {
  static constexpr std::string_view names = "\"\\/bfnrt";
  static constexpr std::string_view values = "\"\\/\b\f\n\r\t";
  if (end_ - at_ < 2)
    return fail();
  auto name = at_[1];
  at_ += 2;
  if (auto which = names.find(name); which != std::string_view::npos) {
    *to++ = values[which];
    return true;
  }
  auto code = name == 'u' ? hex_digits() : -1;
  if (code >= 0xD800 && code < 0xDC00) {
    // The first half of a pair.
    auto follows = end_ - at_ >= 2 && at_[0] == '\\' && at_[1] == 'u';
    at_ += follows ? 2 : 0;
    auto second = follows ? hex_digits() : -1;
    code = second >= 0xDC00 && second < 0xE000 ? 0x10000 + ((code - 0xD800) << 10) + second - 0xDC00
                                               : -1;
  }
  if (code <= 0 || (code >= 0xDC00 && code < 0xE000))
    return fail();
  to = put_character(to, static_cast<unsigned long>(code));
  return true;
}

void json_reader::skip_number() {
  auto digits = [this] {
    auto* begin = at_;
    while (at_ < end_ && is_digit(*at_))
      ++at_;
    return at_ > begin || fail();
  };
  at_ += *at_ == '-' ? 1 : 0;
  if (at_ < end_ && *at_ == '0')
    ++at_;
  else if (!digits())
    return;
  if (at_ < end_ && *at_ == '.') {
    ++at_;
    if (!digits())
      return;
  }
  if (at_ < end_ && (*at_ == 'e' || *at_ == 'E')) {
    ++at_;
    at_ += at_ < end_ && (*at_ == '+' || *at_ == '-') ? 1 : 0;
    digits();
  }
}

void json_reader::skip_word() {
  std::string_view left{at_, static_cast<std::size_t>(end_ - at_)};
  for (std::string_view word : {"true", "false", "null"}) {
    if (left.starts_with(word)) {
      at_ += word.size();
      return;
    }
  }
  fail();
}

void json_reader::skip(int depth) {
  if (depth == most_levels) {
    fail();
    return;
  }
  auto next = peek();
  if (next == '{') {
    begin_object();
    for (auto first = true; next_key(first) != nullptr; first = false)
      skip(depth + 1);
  } else if (next == '[') {
    begin_array();
    for (auto first = true; next_element(first); first = false)
      skip(depth + 1);
  } else if (next == '"') {
    string();
  } else if (next == '-' || is_digit(next)) {
    skip_number();
  } else {
    skip_word();
  }
}

} // namespace crosvisor::guest
