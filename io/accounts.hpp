// SPDX-License-Identifier: Apache-2.0
// The host's users and groups, by their names.
#pragma once

#include "crosvisor/io/result.hpp"

#include <sys/types.h>

#include <string>

namespace crosvisor::io {

/// The number of a user or group, whatever the host's name service asks for it, a network included:
/// this may block. Code 0: there is none of that name.
result<uid_t> find_uid(const std::string& name);
result<gid_t> find_gid(const std::string& name);

} // namespace crosvisor::io
