// SPDX-License-Identifier: Apache-2.0
// Stored images, printed.
#pragma once

#include "crosvisor/cli/arguments.hpp"
#include "crosvisor/messages/stored_image.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace crosvisor::cli {

/// For people: the columns NAME, SIZE, STATE, SHA256, OWNER and SINCE, of the checksum the first 12
/// digits, or `-` where the image has none. For programs: one object with `images`, or one image a
/// line.
std::string image_report(const std::vector<image_info>& images, output_format how,
                         std::int64_t now_ms);

} // namespace crosvisor::cli
