// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/keeper/keeper.hpp"

#include <unistd.h>

#include <charconv>
#include <climits>
#include <optional>
#include <string_view>

namespace crosvisor::io {

namespace {

constexpr char usage[] = "--launch-fd N --service-fd N --record-fd N";

std::optional<int> descriptor(std::string_view text) {
  int number = -1;
  auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (code != std::errc{} || end != text.data() + text.size() || number <= STDERR_FILENO)
    return std::nullopt;
  return number;
}

} // namespace

result<keeper_arguments> parse_keeper_arguments(std::span<const char* const> arguments) {
  keeper_arguments parsed;
  for (std::size_t i = 0; i < arguments.size(); i += 2) {
    std::string_view name = arguments[i];
    auto* place = name == "--launch-fd"    ? &parsed.launch_fd
                  : name == "--service-fd" ? &parsed.service_fd
                  : name == "--record-fd"  ? &parsed.record_fd
                                           : nullptr;
    if (place == nullptr)
      return failure{0, std::string{"unknown option; known are "} + usage};
    if (*place >= 0)
      return failure{0, std::string{name} + ": given twice"};
    auto number = i + 1 < arguments.size() ? descriptor(arguments[i + 1]) : std::nullopt;
    if (!number)
      return failure{0, std::string{name} + ": must be a descriptor above 2"};
    *place = *number;
  }
  if (parsed.launch_fd < 0 || parsed.service_fd < 0 || parsed.record_fd < 0)
    return failure{0, std::string{"needs "} + usage};
  if (parsed.launch_fd == parsed.service_fd || parsed.launch_fd == parsed.record_fd
      || parsed.service_fd == parsed.record_fd)
    return failure{0, "the descriptors must be different ones"};
  return parsed;
}

} // namespace crosvisor::io
