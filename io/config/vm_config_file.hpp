// SPDX-License-Identifier: Apache-2.0
// VM configurations as people write them: JSON, with the keys of Android's `vm` tool and our own.
#pragma once

#include "crosvisor/io/config/json_document.hpp"
#include "crosvisor/io/result.hpp"
#include "crosvisor/messages/vm_config.hpp"

#include <string>
#include <string_view>

namespace crosvisor::io {

/// The version of crosvm's platform that `platform_version` is held against.
inline constexpr const char* platform_version = "1.0.0";

/// Reads a VM's configuration from JSON. Files are named, not opened: see open_vm_files().
///
/// Known keys: `name`, `kernel`, `initrd`, `bootloader`, `params`, `disks` (see
/// disk_fields.hpp; formats are `raw` unless they are given, and never probed), `memory_mib`,
/// `cpus`, `vmm`, `accel`, `protected`, `guest_protocol`, `started_timeout_s`, `restart`; those of
/// devices: `hugepages`, `gdb`, `network`, `shared_directories`, `rng`, `pstore`, `crash_files`,
/// `crash_file_kib` (see device_fields.hpp); and those
/// of Android's that change nothing here: `platform_version`, `cpu_topology`, `devices`,
/// `usb_config`, `console_input_device`. What of them can't be had is refused by name, and so is a
/// key that nobody knows.
/// @param file_name what errors call the file: `demo.json:4:3: unknown key "memory_mb"`.
/// @returns a configuration without a find_problem(), or the first problem and where it stands.
result<vm_config> parse_vm_config(std::string_view text, const std::string& file_name);

/// The same of a document that is parsed already, such as one with more keys, which its reader has
/// taken out.
/// @param source the text that `document` was parsed from.
result<vm_config> read_vm_config(const json_value& document, const json_source& source);

/// Reads the file at `path`, of at most max_json_bytes, and parses it. Blocks as a read of a
/// regular file does; what is none, such as a FIFO, is refused.
result<vm_config> load_vm_config(const std::string& path);

} // namespace crosvisor::io
