// SPDX-License-Identifier: Apache-2.0
// Serves a directory to a guest: virtiofsd, with the rights of the VM's creator.
#pragma once

#include "crosvisor/io/child_process.hpp"
#include "crosvisor/io/result.hpp"
#include "crosvisor/io/runtime_dir.hpp"
#include "crosvisor/io/unique_fd.hpp"
#include "crosvisor/messages/caller.hpp"

#include <string>
#include <vector>

namespace crosvisor::io {

struct file_server_programs {
  std::string share;     ///< Absolute path of crosvisor-share.
  std::string virtiofsd; ///< The same.
  bool of_qemu = false;  ///< QEMU's own (up to 7.2), whose options are others.
};

/// Where they are, or why not and what to install.
/// @param share path of crosvisor-share; empty: beside this process's own program, below the same
///              prefix, or where it was to be installed.
/// @param candidates where virtiofsd may be; what lies in a folder `qemu` is QEMU's own.
result<file_server_programs> find_file_server(const std::string& share = {},
                                              const std::vector<std::string>& candidates = {
                                                "/usr/libexec/virtiofsd",
                                                "/usr/lib/qemu/virtiofsd"});

/// Whom a server of `owner`'s directories runs as, so that a guest has no more rights to files than
/// its VM's creator: him. None: this process's own user, who he is. A failure: this process can't
/// become somebody else.
result<std::optional<vmm_user>> file_server_user(const caller& owner);

/// A listening socket for the server, and the VMM's connection to it; nobody else finds it.
struct file_server_connection {
  unique_fd vmm;
  unique_fd server;
};

/// @param dir where the socket is for a moment.
result<file_server_connection> connect_file_server(const runtime_dir& dir);

/// A pure function: the server of the directory that is open as `directory`. It ends with its
/// VMM's connection.
/// @param log where it complains; all three are borrowed.
child_command file_server_command(const file_server_programs& programs, int directory,
                                  bool writable, int server, int log);

} // namespace crosvisor::io
