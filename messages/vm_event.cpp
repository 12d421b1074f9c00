// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/messages/vm_event.hpp"

namespace crosvisor {

std::string to_string(vm_event_kind kind) {
  using enum vm_event_kind;
  switch (kind) {
    case created: return "created";
    case starting: return "starting";
    case started: return "started";
    case ready: return "ready";
    case finished: return "finished";
    case suspended: return "suspended";
    case resumed: return "resumed";
    case stopping: return "stopping";
    case dead: return "dead";
    case payload_started: return "payload_started";
    case payload_error: return "payload_error";
    case restarting: return "restarting";
    case given_up: return "given_up";
  }
  return "invalid";
}

} // namespace crosvisor
