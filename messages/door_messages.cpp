// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/messages/door_messages.hpp"

namespace crosvisor {

std::string to_string(log_kind kind) {
  switch (kind) {
    case log_kind::console: return "console";
    case log_kind::log: return "log";
    case log_kind::vmm: return "vmm";
    case log_kind::crash: return "crash";
  }
  return "unknown";
}

} // namespace crosvisor
