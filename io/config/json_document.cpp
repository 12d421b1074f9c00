// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/config/json_document.hpp"

#include "crosvisor/io/config/printable.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <iterator>
#include <optional>

namespace crosvisor::io {

namespace {

/// Walks a text, and counts what nlohmann's lexer has taken of it.
class counting_iterator {
public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  counting_iterator(const char* at, std::size_t* taken) : at_(at), taken_(taken) {}

  reference operator*() const { return *at_; }
  counting_iterator& operator++() {
    ++at_;
    ++*taken_;
    return *this;
  }
  bool operator==(const counting_iterator& other) const { return at_ == other.at_; }
  bool operator!=(const counting_iterator& other) const { return at_ != other.at_; }

private:
  const char* at_;
  std::size_t* taken_;
};

/// What nlohmann says is wrong, without its error numbers, its own idea of the position, and the
/// text that is seen there.
std::string malformed(std::string_view what) {
  what = what.substr(0, what.find("; last read: "));
  for (std::string_view mark : {" - ", "] "}) {
    if (auto i = what.find(mark); i != std::string_view::npos)
      return "malformed JSON: " + printable(what.substr(i + mark.size()), 160);
  }
  return "malformed JSON";
}

/// Makes a json_value of nlohmann's SAX events.
///
/// The lexer takes each token whole before its event, and at most one byte more: the blank, comma
/// or bracket that ends a number. None of these begins a value, so the next token begins at the
/// first byte after the last event that is no blank and no separator.
class tree_builder {
public:
  tree_builder(const json_source& source, const std::size_t& taken)
      : source_(source), taken_(taken), last_taken_(0) {
    if (source.begins_with_mark())
      last_taken_ = byte_order_mark.size();
  }

  bool null() { return place(json_kind::null, {}) != nullptr; }

  bool boolean(bool value) {
    auto* placed = place(json_kind::boolean, {});
    if (placed != nullptr)
      placed->boolean = value;
    return placed != nullptr;
  }

  bool number_integer(std::int64_t value) { return whole(std::to_string(value)); }

  bool number_unsigned(std::uint64_t value) { return whole(std::to_string(value)); }

  /// Also called for whole numbers that fit no 64 bits.
  bool number_float(double, const std::string& written) {
    bool is_whole = written.find_first_of(".eE") == std::string::npos;
    return place(is_whole ? json_kind::whole : json_kind::fraction, written) != nullptr;
  }

  bool string(std::string& text) {
    return refuse_nul(text) && place(json_kind::string, std::move(text)) != nullptr;
  }

  bool binary(std::vector<std::uint8_t>&) { return false; } // Not in JSON.

  bool start_object(std::size_t) { return open(json_kind::object); }
  bool start_array(std::size_t) { return open(json_kind::array); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }

  bool key(std::string& name) {
    auto offset = begin_token();
    auto& object = *open_.back();
    if (object.find(name) != nullptr)
      return fail(offset, "key " + in_quotes(name) + " is given twice");
    if (!refuse_nul(name))
      return false;
    object.members.push_back({std::move(name), offset, {}});
    end_token();
    return true;
  }

  /// @param position counts the bytes up to the one that ends the faulty token.
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception& error) {
    std::string_view what = error.what();
    auto says = [&](std::string_view words) { return what.find(words) != std::string_view::npos; };
    if (says("number overflow"))
      return fail(begin_token(), "the number is too large");
    if (says("unexpected end of input"))
      return fail(source_.text().size(), malformed(what));
    auto last = std::min(position > 0 ? position - 1 : 0, source_.text().size());
    auto separator =
      last < source_.text().size() && (source_.text()[last] == ',' || source_.text()[last] == ':');
    // A token out of place is shown where it begins, a broken one where it breaks.
    return fail(says("unexpected") && !separator ? begin_token() : last, malformed(what));
  }

  result<json_value> take() {
    if (failure_)
      return *failure_;
    return std::move(root_);
  }

private:
  std::size_t begin_token() const {
    auto begin = source_.text().find_first_not_of(" \t\r\n,:", last_taken_);
    return std::min(begin, source_.text().size());
  }

  void end_token() { last_taken_ = taken_; }

  bool fail(std::size_t offset, const std::string& what) {
    failure_ = source_.complain(offset, what);
    return false;
  }

  bool refuse_nul(const std::string& text) {
    return text.find('\0') == std::string::npos
           || fail(begin_token(), "text holds a NUL character");
  }

  bool whole(std::string written) { return place(json_kind::whole, std::move(written)) != nullptr; }

  /// Where the next value belongs. Its pointer lasts while it is open: nothing is added beside it.
  json_value& next_place() {
    if (open_.empty())
      return root_;
    auto& parent = *open_.back();
    if (parent.kind == json_kind::object)
      return parent.members.back().value;
    return parent.items.emplace_back();
  }

  json_value* place(json_kind kind, std::string text) {
    auto offset = begin_token();
    if (++count_ > max_json_values) {
      fail(offset, "more than " + std::to_string(max_json_values) + " values");
      return nullptr;
    }
    auto& value = next_place();
    value.kind = kind;
    value.offset = offset;
    value.text = std::move(text);
    end_token();
    return &value;
  }

  bool open(json_kind kind) {
    if (open_.size() == max_json_depth)
      return fail(begin_token(), "nested deeper than " + std::to_string(max_json_depth));
    auto* placed = place(kind, {});
    if (placed != nullptr)
      open_.push_back(placed);
    return placed != nullptr;
  }

  bool close() {
    open_.pop_back();
    end_token();
    return true;
  }

  const json_source& source_;
  const std::size_t& taken_;
  std::size_t last_taken_;
  std::size_t count_ = 0;
  json_value root_;
  std::vector<json_value*> open_;
  std::optional<failure> failure_;
};

} // namespace

const json_member* json_value::find(std::string_view key) const noexcept {
  auto i =
    std::find_if(members.begin(), members.end(), [&](const auto& m) { return m.key == key; });
  return i == members.end() ? nullptr : &*i;
}

std::string json_value::describe() const {
  switch (kind) {
    case json_kind::null: return "null";
    case json_kind::boolean: return boolean ? "true" : "false";
    case json_kind::whole:
    case json_kind::fraction: return printable(text, 40);
    case json_kind::string: return in_quotes(text);
    case json_kind::array: return "an array";
    case json_kind::object: return "an object";
  }
  return "nothing";
}

failure json_source::complain(std::size_t offset, const std::string& what) const {
  auto before = written_.substr(0, offset);
  if (before.starts_with(byte_order_mark))
    before.remove_prefix(byte_order_mark.size());
  auto line = 1 + std::count(before.begin(), before.end(), '\n');
  auto last_line = before.substr(before.rfind('\n') + 1);
  auto begins_character = [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; };
  auto column = 1 + std::count_if(last_line.begin(), last_line.end(), begins_character);
  return {0, file_name_ + ':' + std::to_string(line) + ':' + std::to_string(column) + ": " + what};
}

result<void> check_size(const json_source& source) {
  if (source.text().size() > max_json_bytes)
    return source.complain(0, "larger than " + std::to_string(max_json_bytes >> 20) + " MiB");
  return {};
}

result<json_value> parse_json(const json_source& source) {
  auto text = source.text();
  if (auto fits = check_size(source); !fits)
    return fits.why();
  // The library's own words for this are another version's.
  if (text.empty())
    return source.complain(0, "malformed JSON: unexpected end of input; expected '[', '{', or a "
                              "literal");
  std::size_t taken = 0;
  tree_builder builder{source, taken};
  nlohmann::json::sax_parse(counting_iterator{text.data(), &taken},
                            counting_iterator{text.data() + text.size(), &taken}, &builder);
  return builder.take();
}

} // namespace crosvisor::io
