// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/config/semver_requirement.hpp"

#include <algorithm>
#include <charconv>
#include <compare>
#include <string>

namespace crosvisor::io {

namespace {

/// `>=1.2`: an operator and a version whose last parts may be missing.
struct comparator {
  std::string op;
  std::uint64_t major = 0;
  std::optional<std::uint64_t> minor;
  std::optional<std::uint64_t> patch;
  bool pre_release = false;
  bool any = false; ///< A bare `*`.
};

/// Takes words off the front of a text.
class scanner {
public:
  explicit scanner(std::string_view text) : text_(text) {}

  bool done() const noexcept { return text_.empty(); }

  void skip_spaces() {
    while (!text_.empty() && text_.front() == ' ')
      text_.remove_prefix(1);
  }

  bool take(std::string_view word) {
    if (!text_.starts_with(word))
      return false;
    text_.remove_prefix(word.size());
    return true;
  }

  /// A number without leading zeros, as SemVer has them.
  std::optional<std::uint64_t> take_number() {
    std::uint64_t value = 0;
    auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), value);
    auto length = static_cast<std::size_t>(end - text_.data());
    if (error != std::errc{} || (length > 1 && text_.front() == '0'))
      return std::nullopt;
    text_.remove_prefix(length);
    return value;
  }

  /// A pre-release or build tag: one or more of letters, digits, `-` and `.`.
  bool take_tag() {
    auto tag_char = [](char c) {
      return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-'
             || c == '.';
    };
    auto length = std::find_if_not(text_.begin(), text_.end(), tag_char) - text_.begin();
    text_.remove_prefix(static_cast<std::size_t>(length));
    return length > 0;
  }

private:
  std::string_view text_;
};

bool take_wildcard(scanner& in) {
  return in.take("*") || in.take("x") || in.take("X");
}

enum class part { number, wildcard, missing, malformed };

/// `.N` or `.*`, or neither.
part take_part(scanner& in, std::optional<std::uint64_t>& value) {
  if (!in.take("."))
    return part::missing;
  if (take_wildcard(in))
    return part::wildcard;
  value = in.take_number();
  return value ? part::number : part::malformed;
}

bool take_tags(scanner& in, comparator& result) {
  if (!result.patch)
    return true;
  if (in.take("-")) {
    result.pre_release = true;
    if (!in.take_tag())
      return false;
  }
  return !in.take("+") || in.take_tag();
}

bool take_minor_and_patch(scanner& in, comparator& result) {
  auto minor = take_part(in, result.minor);
  if (minor == part::missing || minor == part::malformed)
    return minor == part::missing;
  auto patch = take_part(in, result.patch);
  if (patch == part::malformed || (minor == part::wildcard && patch == part::number))
    return false;
  if ((minor == part::wildcard || patch == part::wildcard) && result.op.empty())
    result.op = "=";
  return take_tags(in, result);
}

std::optional<comparator> take_comparator(scanner& in) {
  comparator result;
  for (auto op : {">=", "<=", ">", "<", "=", "~", "^"}) {
    if (result.op.empty() && in.take(op))
      result.op = op;
  }
  in.skip_spaces();
  if (result.op.empty() && take_wildcard(in)) {
    result.any = true;
    return result;
  }
  auto major = in.take_number();
  if (!major)
    return std::nullopt;
  result.major = *major;
  if (!take_minor_and_patch(in, result))
    return std::nullopt;
  if (result.op.empty())
    result.op = "^";
  return result;
}

/// How `version` stands to what `wanted` states of a version.
std::strong_ordering compare(const semver& version, const comparator& wanted) {
  if (auto order = version.major <=> wanted.major; std::is_neq(order) || !wanted.minor)
    return order;
  if (auto order = version.minor <=> *wanted.minor; std::is_neq(order) || !wanted.patch)
    return order;
  if (auto order = version.patch <=> *wanted.patch; std::is_neq(order))
    return order;
  // A release follows its own pre-releases.
  return wanted.pre_release ? std::strong_ordering::greater : std::strong_ordering::equal;
}

/// The first part that is not zero must be the same (Cargo's "caret").
bool compatible(const semver& version, const comparator& wanted) {
  if (version.major != wanted.major || std::is_lt(compare(version, wanted)))
    return false;
  if (wanted.major > 0 || !wanted.minor)
    return true;
  if (version.minor != *wanted.minor)
    return false;
  return *wanted.minor > 0 || !wanted.patch || version.patch == *wanted.patch;
}

bool meets(const semver& version, const comparator& wanted) {
  if (wanted.any)
    return true;
  auto order = compare(version, wanted);
  if (wanted.op == "=")
    return std::is_eq(order);
  if (wanted.op == ">")
    return std::is_gt(order);
  if (wanted.op == ">=")
    return std::is_gteq(order);
  if (wanted.op == "<")
    return std::is_lt(order);
  if (wanted.op == "<=")
    return std::is_lteq(order);
  if (wanted.op == "~") {
    return version.major == wanted.major && (!wanted.minor || version.minor == *wanted.minor)
           && std::is_gteq(order);
  }
  return compatible(version, wanted);
}

} // namespace

std::optional<bool> meets_requirement(std::string_view requirement, const semver& version) {
  scanner in{requirement};
  bool met = true;
  for (;;) {
    in.skip_spaces();
    auto wanted = take_comparator(in);
    if (!wanted)
      return std::nullopt;
    met = met && meets(version, *wanted);
    in.skip_spaces();
    if (in.done())
      return met;
    if (!in.take(","))
      return std::nullopt;
  }
}

} // namespace crosvisor::io
