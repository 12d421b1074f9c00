// SPDX-License-Identifier: Apache-2.0
// Metrics as Prometheus reads them.
#pragma once

#include "crosvisor/messages/metrics.hpp"

#include <string>
#include <vector>

namespace crosvisor::io {

/// The content type of metrics_text().
inline constexpr const char* metrics_text_type = "text/plain; version=0.0.4; charset=utf-8";

/// Prometheus' text format; a family without samples is left out.
std::string metrics_text(const std::vector<metric_family>& families);

} // namespace crosvisor::io
