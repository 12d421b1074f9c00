// SPDX-License-Identifier: Apache-2.0
// One line of the status channel; see docs/guest-protocol.md.
#pragma once

#include "crosvisor/io/result.hpp"
#include "crosvisor/messages/payload_status.hpp"

#include <string_view>

namespace crosvisor::io {

/// Reads `{"status": "finished", "exit_code": 0}` and its like. Keys that are not known are passed
/// over; what is known must have the right type and range. The message of an error is made
/// printable and cut to max_status_message_bytes.
/// @param line without its line feed, at most max_status_line_bytes.
result<payload_status> parse_status_line(std::string_view line);

} // namespace crosvisor::io
