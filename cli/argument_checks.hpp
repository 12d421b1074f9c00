// SPDX-License-Identifier: Apache-2.0
// How the values of options are read.
#pragma once

#include "crosvisor/io/config/printable.hpp"

#include <CLI/CLI.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace crosvisor::cli {

/// A CLI::Validator's function: reads a value into its target, and returns what is wrong with it,
/// an empty text when all is well.
using text_check = std::function<std::string(const std::string&)>;

/// Adds an option whose value is read by `check` alone.
CLI::Option* add_checked(CLI::App& app, const char* name, const char* value, const char* what,
                         text_check check);

/// A whole number of the given range.
text_check whole_number(std::uint32_t low, std::uint32_t high,
                        std::optional<std::uint32_t>& target);

/// A time in seconds, as `2.5`; at least `least`, at most `most`.
text_check seconds(std::chrono::milliseconds least, std::chrono::milliseconds most,
                   std::optional<std::chrono::milliseconds>& target);

/// A size in bytes, as `4096`, `64K`, `10M`, `2G` or `1T`; powers of 1024.
text_check byte_size(std::uint64_t highest, std::uint64_t& target);

/// The same, and 0.
text_check byte_size_or_none(std::uint64_t highest, std::optional<std::uint64_t>& target);

/// A CID or a name.
text_check vm_word(std::string& target);

/// The name of a stored image, with or without `image:` before it.
text_check image_word(std::string& target);

/// Where a service is.
text_check endpoint_word(std::string& target);

text_check vm_name_into(std::optional<std::string>& target);

/// What is not empty.
text_check not_empty(const char* what);

/// One of an enumeration's words, which are `words`, for people.
template <class Enum>
text_check word(const char* words, std::optional<Enum> (*parse)(const std::string&),
                std::optional<Enum>& target) {
  return [=, &target](const std::string& text) -> std::string {
    target = parse(text);
    return target ? "" : io::in_quotes(text) + " is not one of " + words;
  };
}

/// The same into a value that has a default.
template <class Enum>
text_check word(const char* words, std::optional<Enum> (*parse)(const std::string&), Enum& target) {
  return [=, &target](const std::string& text) -> std::string {
    auto parsed = parse(text);
    if (!parsed)
      return io::in_quotes(text) + " is not one of " + words;
    target = *parsed;
    return "";
  };
}

} // namespace crosvisor::cli
