// SPDX-License-Identifier: Apache-2.0
// What a daemon's configuration is for the service in it.
#pragma once

#include "crosvisor/io/event_journal.hpp"
#include "crosvisor/service/daemon/daemon_config.hpp"
#include "crosvisor/service/daemon/daemon_places.hpp"
#include "crosvisor/service/embedded_service.hpp"

#include <map>
#include <vector>

namespace crosvisor {

/// Makes the cgroup that is named, if it is missing.
embedded_service_options service_options_of(const daemon_config& config,
                                            const daemon_places& places);

/// What was told of the very VMs that keepers have.
std::map<vm_cid, vm_history> histories_of(const std::vector<io::kept_vm>& vms,
                                          const io::told_events& told);

} // namespace crosvisor
