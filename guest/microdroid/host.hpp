// SPDX-License-Identifier: Apache-2.0
// What the guest tells its host of the payload.
#pragma once

#include "outcome.hpp"

namespace crosvisor::guest {

/// The host, by its status port where there is vsock.
struct host {
  bool has_vsock = false;

  void tell_started() const;
  void tell_finished(int exit_code) const;

  /// By the second serial port where the status does not arrive.
  void tell_error(const outcome& error) const;
};

} // namespace crosvisor::guest
