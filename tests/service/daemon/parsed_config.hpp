// SPDX-License-Identifier: Apache-2.0
// Daemons' configurations, parsed, and what is wrong with them.
#pragma once

#include "crosvisor/service/daemon/daemon_config.hpp"

#include <caf/test/dsl.hpp>

#include <string>
#include <vector>

namespace crosvisor::tests {

inline daemon_config good(const std::string& text) {
  auto parsed = parse_daemon_config(text, "f");
  if (!parsed)
    CAF_FAIL(parsed.why().what);
  return *parsed;
}

/// What is wrong with `text`, without the file's name.
inline std::string problem(const std::string& text) {
  auto parsed = parse_daemon_config(text, "f");
  return parsed ? "none" : parsed.why().what.substr(2);
}

/// The value that belongs to a key of the configuration's second level, and what is wrong with it.
struct wrong_value {
  const char* part;
  const char* key;
  const char* value;
  const char* what;
};

inline const permission_grant& grant(const daemon_config& config, permission what) {
  return config.grants.of[static_cast<std::size_t>(what)];
}

inline std::string joined(const std::vector<std::string>& words) {
  std::string all;
  for (const auto& word : words)
    all += (all.empty() ? "" : " ") + word;
  return all;
}

} // namespace crosvisor::tests
