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
class unique_fd;
struct image_job;
struct image_product;
struct store_result;
struct vm_origin;

} // namespace crosvisor::io

namespace crosvisor {

/// The descriptors that travel with a vm_config; file_ref::index counts into them. The service
/// takes them over: the sender keeps no copy of its own open, or locks and sizes may not be what
/// they seem.
using vm_files = std::shared_ptr<io::descriptor_set>;

/// A descriptor on its way from one holder to the next; whoever drops it closes it. Never null in
/// an answer.
using passed_fd = std::shared_ptr<io::unique_fd>;

/// A connected stream socket to or from a guest, non-blocking and close-on-exec.
using vsock_socket = passed_fd;

/// Images to be made, and the right to cancel that; see io/image_builder.hpp. Never null.
using image_job = std::shared_ptr<const io::image_job>;

/// What an image job made. Never null in an answer.
using image_product = std::shared_ptr<io::image_product>;

/// What the image store did; see io/images/image_store.hpp. Never null.
using store_answer = std::shared_ptr<io::store_result>;

/// Holds a CID in the kernel until the last copy goes; null where the kernel is not asked.
using claimed_cid = std::shared_ptr<const io::unique_fd>;

/// What a VMM answered through its control channel.
struct vmm_answer {
  std::uint64_t id = 0; ///< Which request.
  bool done = false;
  std::int32_t code = 0; ///< Why it was not done: an errno value, or 0.
  std::string what;      ///< The same for people.
  balloon_info balloon;
  vsock_socket socket;
  std::shared_ptr<const io::vm_origin> origin = nullptr;
};

} // namespace crosvisor

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(crosvisor::vm_files)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(crosvisor::image_job)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(crosvisor::image_product)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(crosvisor::store_answer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(crosvisor::passed_fd)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(crosvisor::claimed_cid)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(crosvisor::vmm_answer)
