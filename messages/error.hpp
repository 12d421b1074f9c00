// SPDX-License-Identifier: Apache-2.0
// What can go wrong with a request.
#pragma once

#include <caf/error.hpp>
#include <caf/make_message.hpp>
#include <caf/message.hpp>

#include <cstdint>
#include <string>

namespace crosvisor {

/// Every error that a handler answers. The error's context is one sentence: what, where, and what
/// is allowed.
enum class vm_errc : std::uint8_t {
  invalid_config = 1, ///< The request asks for something that no host could do.
  unsupported,        ///< Known, but not to be had on this host.
  cid_exhausted,      ///< Every CID of the configured range is in use.
  no_such_vm,         ///< No VM has that CID or name.
  name_taken,         ///< A living VM, or a stored image, has that name.
  wrong_state,        ///< Not allowed in the VM's present state.
  vmm_unavailable,    ///< No VMM that could run this is installed and usable.
  start_failed,       ///< The VMM could not be started, or ended before the guest ran.
  io_failed,          ///< The host refused something: no space, no descriptors, no such device.
  vmm_refused,        ///< The VMM answered no.
  timed_out,          ///< No answer within the bound.
  shutting_down,      ///< The service takes no new requests.
  connection_refused, ///< Nobody in the guest listens on that port.
  denied,             ///< The sender has no right to it.
  busy,               ///< Too many such requests wait already.
  cancelled,          ///< Whoever wanted it gave it up.
  no_such_ticket,     ///< It was never given, is used, is old, or is another's.
  no_such_image,      ///< The sender has no stored image, or upload, of that name.
};

/// Stable snake_case name.
std::string to_string(vm_errc code);

/// The sentence that an error carries; for an error of another category, CAF's own rendering.
std::string sentence_of(const caf::error& err);

} // namespace crosvisor

CAF_ERROR_CODE_ENUM(crosvisor::vm_errc, "crosvisor")
