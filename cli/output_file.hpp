// SPDX-License-Identifier: Apache-2.0
// Where a run's console, log and events go.
#pragma once

#include "crosvisor/io/descriptor_set.hpp"
#include "crosvisor/io/result.hpp"
#include "crosvisor/io/unique_fd.hpp"

#include <string>

namespace crosvisor::cli {

/// Opens `path` for writing, emptied, made with mode 0600 where it is missing; `-` is a duplicate
/// of standard output. Never waits for a FIFO's reader. Refuses a file that `inputs` has open:
/// emptying it would destroy what the VM is made of.
io::result<io::unique_fd> open_output(const std::string& path, const io::descriptor_set& inputs);

/// Opens /dev/null for each of the descriptors 0 to 2 that is closed, so that no file of ours gets
/// one of these numbers and is written by whoever means the standard streams. Call it in main,
/// first.
void fill_standard_descriptors();

} // namespace crosvisor::cli
