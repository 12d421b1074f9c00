// SPDX-License-Identifier: Apache-2.0
// JSON whose every key and value knows where in its file it stands.
#pragma once

#include "crosvisor/io/result.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace crosvisor::io {

enum class json_kind : std::uint8_t { null, boolean, whole, fraction, string, array, object };

struct json_member;

/// One value of a document.
struct json_value {
  json_kind kind = json_kind::null;
  /// Byte of the document at which the value begins.
  std::size_t offset = 0;
  bool boolean = false;
  /// A string's text, or a number as it is written. `whole` numbers may be of any size and
  /// negative.
  std::string text;
  std::vector<json_value> items;
  std::vector<json_member> members;

  /// An object's member; null when it has none of that name.
  const json_member* find(std::string_view key) const noexcept;

  /// The value for a person: `"x"`, `12`, `an array`.
  std::string describe() const;
};

struct json_member {
  std::string key;
  std::size_t key_offset = 0;
  json_value value;
};

inline constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";

/// A text and the name of the file that it came from. Borrows the text.
class json_source {
public:
  json_source(std::string_view text, std::string file_name)
      : text_(text), written_(text), file_name_(std::move(file_name)) {}

  /// `text` in place of what `other` holds, with the same offsets, while complaints count in
  /// characters of the other's.
  json_source(std::string_view text, const json_source& other)
      : text_(text), written_(other.written_), file_name_(other.file_name_) {}

  std::string_view text() const noexcept { return text_; }

  /// Whether it begins with a byte order mark, which is no part of the document.
  bool begins_with_mark() const noexcept { return text_.starts_with(byte_order_mark); }

  /// `file:line:column: what`, the column in characters, both counted from 1.
  failure complain(std::size_t offset, const std::string& what) const;

private:
  std::string_view text_;
  std::string_view written_;
  std::string file_name_;
};

/// How large a document may be.
inline constexpr std::size_t max_json_bytes = 1u << 20;
inline constexpr std::size_t max_json_depth = 16;
inline constexpr std::size_t max_json_values = 4096;

/// The failure of a document that is too large.
result<void> check_size(const json_source& source);

/// Parses strict JSON: no comments, no key twice in an object, no NUL in a string, and the bounds
/// above. The failure says where.
result<json_value> parse_json(const json_source& source);

} // namespace crosvisor::io
