// SPDX-License-Identifier: Apache-2.0
// A process that can change no file.
#pragma once

#include "crosvisor/io/result.hpp"

namespace crosvisor::file_server {

/// From now on, and in what this process executes, each system call that would change a file, a
/// directory or what is known of one fails with EROFS, whoever asks for it; what can't be looked
/// into that far fails with ENOSYS. Descriptors that are open for writing stay so.
io::result<void> refuse_writing();

} // namespace crosvisor::file_server
