// SPDX-License-Identifier: Apache-2.0
// The few message types that never leave the process.
#pragma once

#include <caf/allowed_unsafe_message_type.hpp>

#include <memory>

namespace crosvisor::io {

class descriptor_set;

} // namespace crosvisor::io

namespace crosvisor {

/// The descriptors that travel with a vm_config; file_ref::index counts into them. The service takes
/// them over: the sender keeps no copy of its own open, or locks and sizes may not be what they seem.
using vm_files = std::shared_ptr<io::descriptor_set>;

} // namespace crosvisor

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(crosvisor::vm_files)
