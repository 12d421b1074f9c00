// SPDX-License-Identifier: Apache-2.0
// What this process and those of VMs have of the host, as metrics.
#pragma once

#include "crosvisor/messages/metrics.hpp"
#include "crosvisor/messages/vm_info.hpp"

#include <vector>

namespace crosvisor::io {

/// Measures this process, and of each VM whose VMM runs that and what its keeper has started beside
/// it. A process that is gone by then is left out. Reads some files of the kernel's for each VM, so
/// it is not for a thread that others wait for.
std::vector<metric_family> measure_processes(const std::vector<vm_info>& vms);

} // namespace crosvisor::io
