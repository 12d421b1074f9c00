// SPDX-License-Identifier: Apache-2.0
// Claims CIDs at the host's kernel, through /dev/vhost-vsock.
#pragma once

#include "crosvisor/io/backend.hpp"

#include <cstdint>
#include <functional>
#include <memory>

namespace crosvisor::io {

/// The two system calls of a claim; tests put others in their place.
struct vhost_vsock_calls {
  /// Opens the device: a descriptor, or an errno value made negative.
  std::function<int()> open;
  /// VHOST_VSOCK_SET_GUEST_CID (linux/vhost.h): 0, or an errno value made negative.
  std::function<int(int fd, std::uint64_t cid)> set_guest_cid;
};

/// The kernel's own.
vhost_vsock_calls kernel_vhost_vsock();

/// A claim holds as long as its descriptor is open, in this process or in the VMM that it is handed
/// to. Where the device is missing nothing is claimed and nothing is taken.
std::shared_ptr<cid_claimer> make_vhost_cid_claimer(vhost_vsock_calls calls = kernel_vhost_vsock());

} // namespace crosvisor::io
