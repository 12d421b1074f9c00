// SPDX-License-Identifier: Apache-2.0
// The few message types that never leave the process.
#pragma once

#include "crosvisor/messages/vm_info.hpp"

#include <caf/allowed_unsafe_message_type.hpp>

#include <cstdint>
#include <memory>
#include <string>

namespace crosvisor::io {

class descriptor_set;

} // namespace crosvisor::io

namespace crosvisor {

/// The descriptors that travel with a vm_config; file_ref::index counts into them. The service
/// takes them over: the sender keeps no copy of its own open, or locks and sizes may not be what
/// they seem.
using vm_files = std::shared_ptr<io::descriptor_set>;

/// What a VMM answered through its control channel.
struct vmm_answer {
  std::uint64_t id = 0; ///< Which request.
  bool done = false;
  bool timed_out = false;
  std::string what; ///< Why it was not done.
  balloon_info balloon;
};

} // namespace crosvisor

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(crosvisor::vm_files)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(crosvisor::vmm_answer)
