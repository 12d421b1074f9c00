// SPDX-License-Identifier: Apache-2.0
// Whether a VMM was started as it must be.
#pragma once

#include "crosvm_options.hpp"

#include <string>
#include <vector>

namespace stand_in {

/// A descriptor that the command line names.
struct named_descriptor {
  std::string role; ///< kernel, initrd, bios, disk, composite, component, serial, vsock…
  int fd = -1;
  bool writable = false;
};

/// Every descriptor that `options` name. Throws refused for what crosvm would refuse, a path that
/// is no /proc/self/fd/N among it.
std::vector<named_descriptor> find_descriptors(era when, const run_options& options);

/// What is wrong with this process, one sentence each: a descriptor that is not open, of the wrong
/// kind, mode or not readable; one that is open and not named; standard input that is not
/// /dev/null; a session that is not its own.
std::vector<std::string> find_violations(const std::vector<named_descriptor>& named);

/// `role fd device:inode r|w|rw` of each, one a line.
std::string report(const std::vector<named_descriptor>& named);

} // namespace stand_in
