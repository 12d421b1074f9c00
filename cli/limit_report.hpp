// SPDX-License-Identifier: Apache-2.0
// A service's bounds, printed.
#pragma once

#include "crosvisor/cli/arguments.hpp"
#include "crosvisor/messages/limit_info.hpp"

#include <string>
#include <vector>

namespace crosvisor::cli {

/// For people: the columns LIMIT, USED, OF, REFUSED and KEY. For programs: one object with
/// `limits`, or one of them a line.
std::string limit_report(const std::vector<limit_info>& limits, output_format how);

} // namespace crosvisor::cli
