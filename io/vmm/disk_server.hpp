// SPDX-License-Identifier: Apache-2.0
// Serves a composite disk to a VMM that can't open it: nbdkit with our plugin, over a connected
// descriptor.
#pragma once

#include "crosvisor/io/child_process.hpp"
#include "crosvisor/io/result.hpp"
#include "crosvisor/io/unique_fd.hpp"
#include "crosvisor/io/vmm/vm_description.hpp"

#include <string>
#include <vector>

namespace crosvisor::io {

struct disk_server_programs {
  std::string nbdkit; ///< Absolute path.
  std::string plugin; ///< The same, of nbdkit-composite-plugin.so.

  explicit operator bool() const noexcept { return !nbdkit.empty(); }
};

/// Where nbdkit and its plugin are, or why they are not and what to install.
/// @param plugin its path; empty: beside this process's own program, below the same prefix, or
///               where it was to be installed.
/// @param program_dirs where nbdkit is looked for.
result<disk_server_programs> find_disk_server(const std::string& plugin,
                                              const std::vector<std::string>& program_dirs);

/// The two ends of one disk's connection, whose server ends when the VMM's is closed everywhere.
struct disk_connection {
  unique_fd vmm;
  unique_fd server;
};
result<disk_connection> make_disk_connection();

/// A pure function: the server of a composite disk, which gets the disk's descriptors under their
/// own numbers. It speaks on its standard input and output.
/// @param log where it complains; both are borrowed.
child_command disk_server_command(const disk_server_programs& programs, const described_disk& disk,
                                  int server_end, int log);

} // namespace crosvisor::io
