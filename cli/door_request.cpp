// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/door_request.hpp"

#include "crosvisor/cli/default_connection.hpp"
#include "crosvisor/cli/request_errors.hpp"

namespace crosvisor::cli {

early_end end_of(const caf::error& why, const endpoint& where) {
  if (is_lost(why))
    return {infrastructure, "lost the connection to " + words_of(where)};
  if (why == caf::sec::request_timeout)
    return {timed_out, "no answer in time from " + words_of(where)};
  return {exit_code_of_error(why), words_of_error(why)};
}

} // namespace crosvisor::cli
