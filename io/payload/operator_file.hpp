// SPDX-License-Identifier: Apache-2.0
// Files that the host's operator answers for, as against a client's.
#pragma once

#include "crosvisor/io/result.hpp"
#include "crosvisor/io/unique_fd.hpp"

#include <cstddef>
#include <string>

namespace crosvisor::io {

/// How the last component of a path is taken.
enum class symlinks { followed, refused };

/// Opens a regular file for reading alone, without ever waiting for a FIFO's other end. Refuses one
/// that somebody else may write: one that everybody can write, or the members of another group than
/// this process's own. (So one made under the umask 002 by whoever runs the service will do.) Its
/// owner is trusted, whoever that is, and so are the folders on the way.
/// @param folder what a relative `path` is relative to; as of openat().
/// @param what begins every error, such as `kernel "vmlinux"`.
/// @returns failures of code 0 unless it is the host that can't go on, such as with EMFILE.
result<unique_fd> open_operator_file(int folder, const std::string& path, const std::string& what,
                                     symlinks last = symlinks::followed);

/// The same, with what the file holds, of a larger one the first `most` + 1 bytes.
result<std::string> read_operator_file(int folder, const std::string& path, const std::string& what,
                                       std::size_t most, symlinks last = symlinks::followed);

/// The same for a folder, of an absolute path.
result<unique_fd> open_operator_folder(const std::string& path, const std::string& what);

} // namespace crosvisor::io
