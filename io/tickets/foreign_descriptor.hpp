// SPDX-License-Identifier: Apache-2.0
// Which descriptors are taken from another process at all.
#pragma once

#include <optional>
#include <string>

namespace crosvisor::io {

/// What keeps a descriptor of another process's from being taken, or nothing: `is a listening
/// socket`.
///
/// Files, directories, block and character devices, pipes and sockets are taken; what each is used
/// for is checked where it is used (io/vm_files.hpp). Of sockets only those that carry bytes and
/// nothing of the writer: what is written to a socket that is, or could be, connected to a service
/// of the host arrives with our credentials (SCM_CREDENTIALS in unix(7)), so that a client could
/// speak in our name. Waits for nobody, not for a file system in user space either.
std::optional<std::string> descriptor_problem(int fd);

} // namespace crosvisor::io
