// SPDX-License-Identifier: Apache-2.0
// Remembers the last allocated CID in a file.
#pragma once

#include "crosvisor/io/backend.hpp"
#include "crosvisor/io/result.hpp"

#include <memory>
#include <string>

namespace crosvisor::io {

/// A store in the file `last_cid` in `state_dir`, which is made (0700) where it is missing. The
/// file is opened here and once; saving writes eleven bytes to the page cache. A symlink is
/// refused. What the file has is ignored, and said so in the log, unless it is a CID that a VM may
/// have.
result<std::shared_ptr<cid_store>> open_file_cid_store(const std::string& state_dir);

} // namespace crosvisor::io
