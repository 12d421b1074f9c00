// SPDX-License-Identifier: Apache-2.0
// Operating systems that apps run in, as the host's operator defines them: JSON files in one
// folder, `<name>.json` each. See docs/apps.md.
#pragma once

#include "crosvisor/io/result.hpp"
#include "crosvisor/io/unique_fd.hpp"
#include "crosvisor/messages/vm_config.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace crosvisor::io {

/// What debug level full changes.
struct os_debug {
  std::string initrd;     ///< Instead of the definition's; empty: none.
  std::string params;     ///< Behind the definition's.
  std::string bootconfig; ///< Of the partition `bootconfig`; empty: none.
};

/// Where APEXes come from, and which of them every app gets.
struct os_apexes {
  std::string list; ///< Of `.xml` or `.json`; empty: there are no APEXes.
  std::vector<std::string> always;
  std::vector<std::string> debug; ///< At debug level full, too.
};

/// An operating system. Its files are named, not opened; their paths, where they are relative, are
/// relative to the folder.
struct os_definition {
  std::string file; ///< What errors call the definition: its path.
  unique_fd folder; ///< O_PATH or O_RDONLY, for openat().
  /// Valid by find_problem(), all files read-only. Its memory is what an app gets that asks for
  /// none.
  vm_config config;
  /// The disk that the app's own writable partitions go onto; none: a new one behind the others.
  std::optional<std::size_t> instance_disk;
  os_debug debug;
  os_apexes apexes;
};

/// How many operating systems a host may offer.
inline constexpr std::size_t max_operating_systems = 256;
inline constexpr std::size_t max_os_apexes = 64;

/// The names that are defined in `folder` (absolute), sorted: those of its regular files `*.json`
/// whose stems are valid_vm_name()s. Blocks as long as reading a folder does.
result<std::vector<std::string>> list_operating_systems(const std::string& folder);

/// Loads the definition of `name`. A name is only ever compared with those of the folder's files,
/// and never part of a path. See open_operator_file() for what the file must be; a symbolic link is
/// refused.
/// @returns an unknown name's failure says which ones there are. failure::code is 0 unless the host
/// can't go on.
result<os_definition> load_os_definition(const std::string& folder, const std::string& name);

/// The same from a text; `folder` of the result is empty.
result<os_definition> parse_os_definition(std::string_view text, const std::string& file_name);

} // namespace crosvisor::io
