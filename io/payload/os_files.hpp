// SPDX-License-Identifier: Apache-2.0
// Opens the files of an operating system.
#pragma once

#include "crosvisor/io/descriptor_set.hpp"
#include "crosvisor/io/payload/apex_list.hpp"
#include "crosvisor/io/payload/os_definition.hpp"
#include "crosvisor/io/result.hpp"
#include "crosvisor/messages/vm_config.hpp"

#include <string>
#include <vector>

namespace crosvisor::io {

/// Opens what boots the operating system, and its disks, for reading alone: all are files of the
/// operator's, see open_operator_file(), and go into `files`.
/// @returns the definition's configuration with the files' indices and, as their paths, absolute
/// ones; with the initrd and the params of `debug`. A failure begins with the definition's path:
/// `/etc/os/microdroid.json: kernel "vmlinux": no such file`.
result<vm_config> open_os_files(const os_definition& os, debug_level debug, descriptor_set& files);

/// Opens one more file of the operating system's. `path` is as the definition has it.
/// @param key what the definition calls it, such as `debug.bootconfig`.
result<file_ref> open_os_file(const os_definition& os, const std::string& key,
                              const std::string& path, descriptor_set& files);

/// An APEX that is open.
struct opened_apex {
  apex_info info;
  file_ref file;
};

/// Reads the list of APEXes, which is read anew each time, and opens the files of those that are
/// wanted, that the definition has for every app and for `debug`, and that share libraries.
result<std::vector<opened_apex>> open_apexes(const os_definition& os,
                                             std::vector<wanted_apex> wanted, debug_level debug,
                                             descriptor_set& files);

} // namespace crosvisor::io
