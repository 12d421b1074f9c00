// SPDX-License-Identifier: Apache-2.0
// A VM's events for programs.
#pragma once

#include "crosvisor/messages/vm_event.hpp"

#include <cstdint>
#include <string>

namespace crosvisor::cli {

/// One JSON object without line breaks: `schema`, `seq`, `time`, `cid`, `name`, `event`; `detail`
/// where there is one; `payload_exit_code` of a `finished` and of a `dead` event whose payload
/// finished; `payload_error` of a `payload_error` and of a `dead` event whose payload failed;
/// `number` where the service counts its events;
/// `reason` and `vmm_exit` of a `dead` and of a `restarting` event. `vmm_exit` is `{"code":n}`,
/// `{"signal":n}`,
/// `{"vanished":true}`, or null where there was no process.
std::string event_json(const vm_event& event);

/// RFC 3339 in UTC with milliseconds: `2026-11-24T07:30:00.123Z`.
std::string rfc3339(std::int64_t unix_time_ms);

} // namespace crosvisor::cli
