// SPDX-License-Identifier: Apache-2.0
// Where a server of files has rights.
#pragma once

#include "crosvisor/io/result.hpp"

namespace crosvisor::file_server {

/// Moves this process, which has one thread, into a user namespace in which its user and group are
/// root and nobody else is anybody (user_namespaces(7)): what it may there it may to files of that
/// user and group, who could do it by themselves, and to nothing else. A network of its own has no
/// interfaces. Its supplementary groups stay, and can't be changed. Fails where the host allows no
/// such namespace to ordinary users.
io::result<void> enter_namespaces();

} // namespace crosvisor::file_server
