// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/messages/payload_status.hpp"

#include <array>

namespace crosvisor {

std::string to_string(payload_status_kind kind) {
  constexpr std::array<const char*, 4> names{"started", "ready", "finished", "error"};
  auto index = static_cast<std::size_t>(kind);
  return index < names.size() ? names[index] : "invalid";
}

std::string to_string(payload_error error) {
  constexpr std::array<const char*, 4> names{"unknown", "payload_verification_failed",
                                             "payload_changed", "payload_invalid_config"};
  auto index = static_cast<std::size_t>(error);
  return index < names.size() ? names[index] : "invalid";
}

} // namespace crosvisor
