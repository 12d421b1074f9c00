// SPDX-License-Identifier: Apache-2.0
// Log lines as systemd's journal keeps them: with fields.
#pragma once

#include "crosvisor/io/logged_events.hpp"
#include "crosvisor/io/logging.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace crosvisor::io {

/// A line as the journal's fields (systemd.journal-fields(7)): MESSAGE, PRIORITY,
/// SYSLOG_IDENTIFIER, CID and NAME of a VM that it is about, and MESSAGE_ID and CROSVISOR_EVENT of
/// one that has an event.
std::vector<std::string> journal_fields(log::level of, const log::about_vm* vm,
                                        std::string_view line, std::string_view program,
                                        std::optional<log::logged_event> event = std::nullopt);

/// From now on log lines go to the journal with their fields, where standard error is the
/// journal's; else nothing changes. A line that the journal does not take goes to standard error.
void log_to_journal();

} // namespace crosvisor::io
