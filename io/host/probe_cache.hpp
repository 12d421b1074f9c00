// SPDX-License-Identifier: Apache-2.0
// Keeps what a probe found, so that the next start need not ask again.
#pragma once

#include "crosvisor/io/result.hpp"
#include "crosvisor/messages/host_info.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace crosvisor::io {

/// What tells one file from another, and from itself after a change.
struct file_identity {
  std::string path;
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t size = 0;
  std::int64_t changed_ns = 0; ///< Of its content or its owner and mode (ctime), since 1970.

  bool operator==(const file_identity&) const = default;
};

/// Nothing when there is no such file.
std::optional<file_identity> identify(const std::string& path);

/// The findings of one boot of this host: a kernel that was changed, or a processor, is found out
/// with the next.
struct probe_findings {
  struct program {
    file_identity file;
    vmm_info vmm;
  };
  struct device {
    file_identity file;
    capability verdict;
  };
  std::vector<program> programs; ///< Usable ones alone.
  std::optional<device> kvm;     ///< Where it was measured.

  /// What was found of the program at `path`, if it is the same still.
  std::optional<vmm_info> find_program(const std::string& path) const;
  /// What was measured of the device at `path`, if it is the same still.
  std::optional<capability> find_device(const std::string& path) const;
};

/// Reads the findings kept in `dir`; none where there are none, they are another boot's or another
/// version's, belong to another user, can't be read or make no sense.
probe_findings load_findings(const std::string& dir);

/// Keeps findings in `dir`, which must exist: whole or not at all, mode 0600.
result<void> store_findings(const std::string& dir, const probe_findings& findings);

} // namespace crosvisor::io
