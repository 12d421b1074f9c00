// SPDX-License-Identifier: Apache-2.0
// The files of a request, as far as the door looks at them.
#pragma once

#include "crosvisor/messages/image_spec.hpp"
#include "crosvisor/messages/vm_config.hpp"

#include <cstddef>
#include <optional>
#include <string>

namespace crosvisor::door {

/// Whether a VM of this configuration runs something of its creator's own besides an app: a kernel,
/// an initial RAM disk, firmware, kernel parameters, disks or certain devices (need_custom()). An
/// app's operating system is the operator's, and what its APK holds is checked by it; so nothing in
/// app_config is.
bool runs_ones_own(const vm_config& config) noexcept;

/// The first file_ref that counts beyond the `given` descriptors, or nothing: `kernel "vmlinux":
/// descriptor 3 of 2`.
std::optional<std::string> find_missing_file(const vm_config& config, std::size_t given);
std::optional<std::string> find_missing_file(const partition_spec& spec, std::size_t given);
std::optional<std::string> find_missing_file(const idsig_spec& spec, std::size_t given);

} // namespace crosvisor::door
