// SPDX-License-Identifier: Apache-2.0
// What was told of one VM until now.
#pragma once

#include "crosvisor/cli/outcome.hpp"
#include "crosvisor/messages/vm_event.hpp"
#include "crosvisor/service/connection.hpp"

#include <string>
#include <vector>

namespace crosvisor::cli {

/// The events that the service keeps of a VM, the oldest first: as `watch --history` shows them, of
/// a dead or forgotten one too. By its name one that is not alive is found by those alone who may
/// see all events. Blocks until the service has answered.
outcome<std::vector<vm_event>> told_events_of(connection& service, const std::string& vm);

} // namespace crosvisor::cli
