// SPDX-License-Identifier: Apache-2.0
// Makes a VM's kernel, disks and partitions from an app and its operating system.
#pragma once

#include "crosvisor/io/descriptor_set.hpp"
#include "crosvisor/io/job_control.hpp"
#include "crosvisor/io/result.hpp"
#include "crosvisor/messages/vm_config.hpp"

#include <string>

namespace crosvisor::io {

/// Replaces `config.app` by what it stands for: reads the payload's configuration in the APK, finds
/// the operating system in `os_folder` (absolute; names are those of its `*.json` alone) and its
/// APEXes, makes the metadata partition, and adds what it opens and makes to `files`. The result is
/// valid by find_problem() and has no app. Formats and labels are Android's; see docs/apps.md.
///
/// failure::code is 0 where the app, its files or the operating system's are at fault.
result<vm_config> expand_app(const vm_config& config, descriptor_set& files,
                             const std::string& os_folder, const job_control& control);

} // namespace crosvisor::io
