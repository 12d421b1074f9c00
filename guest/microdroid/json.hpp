// SPDX-License-Identifier: Apache-2.0
// Reads JSON (RFC 8259) from front to back, without a tree and without memory of its own.
#pragma once

#include <cstddef>

namespace crosvisor::guest {

/// Strings are decoded in their place: the text is the reader's to change, and must outlive what it
/// gave. After the first fault everything fails, and good() is false.
class json_reader {
public:
  json_reader(char* text, std::size_t size) : at_(text), begin_(text), end_(text + size) {}

  bool good() const { return good_; }

  /// Where it is, in bytes from the text's beginning: where the fault is, if there is one.
  std::size_t position() const { return static_cast<std::size_t>(at_ - begin_); }

  /// What comes next, by its first character; 0 at the end.
  char peek();

  bool begin_object() { return take('{'); }

  /// Goes on to the next member, whose value comes then. @param first it is the object's first.
  /// @returns its key; null at the object's end.
  const char* next_key(bool first);

  bool begin_array() { return take('['); }

  /// Goes on to the next element. @returns false at the array's end.
  bool next_element(bool first);

  /// A string, ended by a NUL and without another one in it. @returns null where there is none.
  const char* string();

  /// A value of any kind, up to 32 levels deep.
  void skip(int depth = 0);

  /// Whether nothing but white space is left.
  bool at_end() { return good_ && peek() == 0 && at_ == end_; }

private:
  bool fail() {
    good_ = false;
    return false;
  }
  bool take(char expected);
  bool decode_escape(char*& to);
  long hex_digits();
  void skip_number();
  void skip_word();

  char* at_;
  char* begin_;
  char* end_;
  bool good_ = true;
};

} // namespace crosvisor::guest
