// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/guest/early_failure.hpp"

#include "crosvisor/io/config/printable.hpp"

#include <utility>

namespace crosvisor::io {

namespace {

using enum death_reason;

constexpr std::pair<std::string_view, death_reason> names[] = {
  {"PVM_FIRMWARE_PUBLIC_KEY_MISMATCH", pvm_firmware_public_key_mismatch},
  {"PVM_FIRMWARE_INSTANCE_IMAGE_CHANGED", pvm_firmware_instance_image_changed},
  {"MICRODROID_FAILED_TO_CONNECT_TO_VIRTUALIZATION_SERVICE",
   microdroid_failed_to_connect_to_virtualization_service},
  {"MICRODROID_PAYLOAD_HAS_CHANGED", microdroid_payload_has_changed},
  {"MICRODROID_PAYLOAD_VERIFICATION_FAILED", microdroid_payload_verification_failed},
  {"MICRODROID_INVALID_PAYLOAD_CONFIG", microdroid_invalid_payload_config},
  {"MICRODROID_UNKNOWN_RUNTIME_ERROR", microdroid_unknown_runtime_error},
};

constexpr std::string_view blanks = " \t\r\n";
constexpr std::size_t max_detail_bytes = 1024;

std::string_view trimmed(std::string_view text) {
  auto first = text.find_first_not_of(blanks);
  if (first == text.npos)
    return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

} // namespace

std::optional<early_failure> parse_early_failure(std::string_view text) {
  text = trimmed(text);
  auto name = text.substr(0, text.find_first_of("| \t\r\n"));
  for (const auto& [known, reason] : names) {
    if (name != known)
      continue;
    auto rest = text.substr(name.size());
    if (rest.starts_with('|'))
      return early_failure{reason, printable(trimmed(rest.substr(1)), max_detail_bytes)};
    return early_failure{reason, {}};
  }
  return std::nullopt;
}

} // namespace crosvisor::io
