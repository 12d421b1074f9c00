// SPDX-License-Identifier: Apache-2.0
// A file that is looked at, and what looks at each format.
#pragma once

#include "crosvisor/cli/inspection.hpp"
#include "crosvisor/io/apk/idsig.hpp"
#include "crosvisor/io/disk/guid.hpp"
#include "crosvisor/io/result.hpp"
#include "crosvisor/io/unique_fd.hpp"

#include <cstdint>
#include <string>

namespace crosvisor::cli {

/// A regular file or block device, open for reading.
struct inspected_file {
  std::string path;
  io::unique_fd fd;
  std::uint64_t size_bytes = 0;
  bool is_regular = false;

  /// Opens it; never waits for a FIFO or a terminal. The failure is one sentence that begins with
  /// the path.
  static io::result<inspected_file> open(const std::string& path);
};

/// Finds out what the file is, by its bytes, and looks at it. Reads a few MiB at the most, but for
/// an idsig's tree, which is read whole, and opens what a composite disk names; blocks as long as
/// that takes.
inspection inspect_file(const inspected_file& file);

/// Each for a file that has the format's mark. What can't be read is a problem, too.
inspection inspect_composite(const inspected_file& file);
inspection inspect_gpt(const inspected_file& file);
inspection inspect_qcow2(const inspected_file& file);
inspection inspect_sparse(const inspected_file& file);
inspection inspect_apk(const inspected_file& file);
inspection inspect_idsig(const inspected_file& file);
inspection inspect_instance(const inspected_file& file);
inspection inspect_encryptedstore(const inspected_file& file);

/// Holds an idsig against its APK, with a progress bar; adds to what was found.
void compare_with_apk(const inspected_file& idsig, const inspected_file& apk, inspection& found);

/// As Android spells UUIDs: in lower case.
std::string lower_case(const io::guid& id);

} // namespace crosvisor::cli
