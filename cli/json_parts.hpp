// SPDX-License-Identifier: Apache-2.0
// Parts of what programs read.
#pragma once

#include "crosvisor/messages/vm_state.hpp"

#include <nlohmann/json.hpp>

#include <string>

namespace crosvisor::cli {

/// `{"code":n}`, `{"signal":n}`, `{"vanished":true}`, or null where there was no process.
inline nlohmann::ordered_json exit_json(const vmm_exit& exit) {
  switch (exit.kind) {
    case exit_kind::none: break;
    case exit_kind::code: return {{"code", exit.value}};
    case exit_kind::signal: return {{"signal", exit.value}};
    case exit_kind::vanished: return {{"vanished", true}};
  }
  return nullptr;
}

/// As text: indented with a final line break, or on one line. What is no UTF-8 comes out as U+FFFD.
inline std::string json_text(const nlohmann::ordered_json& value, bool indented) {
  return value.dump(indented ? 2 : -1, ' ', false, nlohmann::json::error_handler_t::replace) + '\n';
}

} // namespace crosvisor::cli
