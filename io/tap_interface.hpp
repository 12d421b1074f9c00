// SPDX-License-Identifier: Apache-2.0
// TAP interfaces as VMMs take them: by the descriptor of somebody who may use them.
#pragma once

#include "crosvisor/io/result.hpp"
#include "crosvisor/io/unique_fd.hpp"
#include "crosvisor/messages/fwd.hpp"

#include <optional>
#include <string>

namespace crosvisor::io {

/// Attaches to the interface `name`, which must be there, with the rights of this process: its
/// owner's, those of its group, or CAP_NET_ADMIN.
/// @returns a descriptor of /dev/net/tun. The failure names nothing: `no such network interface`.
result<unique_fd> open_tap(const std::string& name);

/// What keeps a descriptor of somebody else's from being the TAP interface `name`, open for reading
/// and writing and in the mode that VMMs need (IFF_NO_PI, IFF_VNET_HDR, one queue), or nothing.
std::optional<std::string> tap_problem(int fd, const std::string& name);

/// The address of a network card that was given none: like no other VM's of this host, and the same
/// for the same CID.
std::string mac_of(vm_cid cid);

} // namespace crosvisor::io
