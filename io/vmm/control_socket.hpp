// SPDX-License-Identifier: Apache-2.0
// The sockets that control channels use.
#pragma once

#include "crosvisor/io/vmm/vmm_driver.hpp"

#include <string>

namespace crosvisor::io {

/// Two connected stream sockets, so there is nothing on disk that another program could connect to.
result<control_endpoint> make_connected_pair();

/// A SOCK_SEQPACKET socket that listens at `name` in `dir`, and its path. It is removed with the
/// directory, since crosvm leaves a socket that it was handed.
result<control_endpoint> make_listener(const runtime_dir& dir, const std::string& name);

/// The path alone, for a VMM that makes its socket itself. Fails when it is too long for a socket's
/// address (unix(7): 107 bytes).
result<control_endpoint> make_path(const runtime_dir& dir, const std::string& name);

} // namespace crosvisor::io
