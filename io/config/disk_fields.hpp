// SPDX-License-Identifier: Apache-2.0
// The disks in a VM's configuration file.
#pragma once

#include "crosvisor/io/config/config_field.hpp"
#include "crosvisor/messages/vm_config.hpp"

#include <string>
#include <vector>

namespace crosvisor::io {

/// Reads the array `disks`: each with `image` and `format`, or with `partitions`, and with
/// `writable`, which is required. A partition has `label` and `path`, and may have `format`,
/// `writable` and `guid`. Keys are Android's, but for the formats.
check read_disks(const json_value& value, const std::string& path, std::vector<disk_config>& disks);

} // namespace crosvisor::io
