// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/messages/error.hpp"

namespace crosvisor {

std::string to_string(vm_errc code) {
  using enum vm_errc;
  switch (code) {
    case invalid_config: return "invalid_config";
    case unsupported: return "unsupported";
    case cid_exhausted: return "cid_exhausted";
    case no_such_vm: return "no_such_vm";
    case name_taken: return "name_taken";
    case wrong_state: return "wrong_state";
    case vmm_unavailable: return "vmm_unavailable";
    case start_failed: return "start_failed";
    case io_failed: return "io_failed";
    case vmm_refused: return "vmm_refused";
    case timed_out: return "timed_out";
    case shutting_down: return "shutting_down";
    case connection_refused: return "connection_refused";
    case denied: return "denied";
    case busy: return "busy";
    case cancelled: return "cancelled";
    case no_such_ticket: return "no_such_ticket";
    case no_such_image: return "no_such_image";
  }
  return "invalid";
}

std::string sentence_of(const caf::error& err) {
  if (!err)
    return "no error";
  if (err.category() != caf::atom("crosvisor"))
    return to_string(err);
  if (err.context().match_elements<std::string>())
    return err.context().get_as<std::string>(0);
  return to_string(static_cast<vm_errc>(err.code()));
}

} // namespace crosvisor
