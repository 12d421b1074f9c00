// SPDX-License-Identifier: Apache-2.0
// The demo guest that figures run.
#pragma once

#include "crosvisor/io/descriptor_set.hpp"
#include "crosvisor/messages/vm_config.hpp"

#include <memory>
#include <string>

namespace crosvisor::bench {

/// CROSVISOR_GUEST_DIR, or build/guest.
std::string guest_folder();

struct demo_guest {
  vm_config config;
  std::shared_ptr<io::descriptor_set> files;
};

/// The demo guest's configuration of that name, for QEMU; throws not_here where there is none.
demo_guest load_guest(const std::string& name);

} // namespace crosvisor::bench
