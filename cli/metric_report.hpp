// SPDX-License-Identifier: Apache-2.0
// A service's metrics, printed.
#pragma once

#include "crosvisor/cli/arguments.hpp"
#include "crosvisor/messages/metrics.hpp"

#include <string>
#include <vector>

namespace crosvisor::cli {

/// For people: a line for each sample, `NAME{LABEL="VALUE"}  NUMBER`, and of a histogram how many
/// values there are and their mean. For programs: one object with `metrics`, the families, or a
/// sample a line.
std::string metric_report(const std::vector<metric_family>& families, output_format how);

} // namespace crosvisor::cli
