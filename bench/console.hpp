// SPDX-License-Identifier: Apache-2.0
// What a guest writes to its console, as a figure waits for it.
#pragma once

#include <cstdint>
#include <string>

namespace crosvisor::bench {

/// When a line that holds `words` is complete on `console`, in the unit of now_ns(); throws when it
/// does not come.
std::int64_t wait_for_line(int console, const std::string& words);

} // namespace crosvisor::bench
