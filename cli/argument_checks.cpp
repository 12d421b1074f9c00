// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/argument_checks.hpp"

#include "crosvisor/cli/vm_word.hpp"
#include "crosvisor/messages/stored_image.hpp"
#include "crosvisor/messages/vm_config.hpp"
#include "crosvisor/service/endpoint.hpp"

#include <charconv>
#include <cmath>
#include <utility>

namespace crosvisor::cli {

namespace {

/// Bytes of a unit's letter; nothing for another one.
std::optional<std::uint64_t> unit_bytes(std::string_view unit) {
  constexpr std::pair<std::string_view, unsigned> units[] = {
    {"", 0}, {"K", 10}, {"M", 20}, {"G", 30}, {"T", 40}};
  for (const auto& [letter, shift] : units)
    if (unit == letter)
      return std::uint64_t{1} << shift;
  return std::nullopt;
}

/// Without needless digits.
std::string in_seconds(std::chrono::milliseconds time) {
  auto whole = std::to_string(time.count() / 1000);
  auto rest = std::to_string(1000 + time.count() % 1000).substr(1);
  return rest == "000" ? whole : whole + '.' + rest;
}

std::string read_size(const std::string& text, std::uint64_t lowest, std::uint64_t highest,
                      std::uint64_t& target) {
  std::uint64_t number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  auto unit = unit_bytes({end, static_cast<std::size_t>(text.data() + text.size() - end)});
  if (error == std::errc::invalid_argument || !unit)
    return io::in_quotes(text)
           + " is no size; allowed are bytes, as 4096, or a number with K, M, "
             "G or T, as 10M";
  if (error != std::errc{} || number < lowest || number > highest / *unit)
    return io::printable(text) + " is out of range; allowed is " + std::to_string(lowest) + " to "
           + std::to_string(highest) + " bytes";
  target = number * *unit;
  return "";
}

} // namespace

CLI::Option* add_checked(CLI::App& app, const char* name, const char* value, const char* what,
                         text_check check) {
  static std::string unused; // Every value is read by its check.
  auto* option = app.add_option(name, unused, what);
  return option->type_name(value)->check(CLI::Validator{std::move(check), ""});
}

text_check whole_number(std::uint32_t low, std::uint32_t high,
                        std::optional<std::uint32_t>& target) {
  return [=, &target](const std::string& text) -> std::string {
    auto range = "; allowed is " + std::to_string(low) + " to " + std::to_string(high);
    if (text.empty() || text.find_first_not_of("0123456789") != std::string::npos)
      return io::in_quotes(text) + " is not a whole number" + range;
    auto number = text.size() > 10 ? ~std::uint64_t{0} : std::stoull(text);
    if (number < low || number > high)
      return io::printable(text) + " is out of range" + range;
    target = static_cast<std::uint32_t>(number);
    return "";
  };
}

text_check seconds(std::chrono::milliseconds least, std::chrono::milliseconds most,
                   std::optional<std::chrono::milliseconds>& target) {
  return [=, &target](const std::string& text) -> std::string {
    double value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()
        || !(value * 1000 >= static_cast<double>(least.count()))
        || value * 1000 > static_cast<double>(most.count()))
      return io::in_quotes(text) + " is no time; allowed is " + in_seconds(least) + " to "
             + in_seconds(most) + " seconds";
    target = std::chrono::milliseconds{std::llround(value * 1000)};
    return "";
  };
}

text_check byte_size(std::uint64_t highest, std::uint64_t& target) {
  return
    [highest, &target](const std::string& text) { return read_size(text, 1, highest, target); };
}

text_check byte_size_or_none(std::uint64_t highest, std::optional<std::uint64_t>& target) {
  return [highest, &target](const std::string& text) {
    target.emplace();
    return read_size(text, 0, highest, *target);
  };
}

text_check vm_word(std::string& target) {
  return [&target](const std::string& text) -> std::string {
    if (!parse_cid(text) && !valid_vm_name(text))
      return io::in_quotes(text) + " is neither a CID nor a name";
    target = text;
    return "";
  };
}

text_check image_word(std::string& target) {
  return [&target](const std::string& text) -> std::string {
    target = stored_image_name(text).value_or(text);
    return valid_image_name(target) ? ""
                                    : io::in_quotes(text)
                                        + " is no name of an image; allowed are letters, digits, "
                                          "'.', '_' and '-', a letter first, at most 64";
  };
}

text_check endpoint_word(std::string& target) {
  return [&target](const std::string& text) -> std::string {
    auto where = parse_endpoint(text);
    if (!where)
      return where.why().what;
    target = text;
    return "";
  };
}

text_check vm_name_into(std::optional<std::string>& target) {
  return [&target](const std::string& text) -> std::string {
    if (!valid_vm_name(text)) {
      return io::in_quotes(text)
             + " is not a name; allowed are letters, digits, '.', '_' and '-', a "
               "letter first, at most "
             + std::to_string(max_name_bytes);
    }
    target = text;
    return "";
  };
}

text_check not_empty(const char* what) {
  return [what](const std::string& text) {
    return text.empty() ? std::string{"needs "} + what : std::string{};
  };
}

} // namespace crosvisor::cli
