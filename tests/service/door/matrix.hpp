// SPDX-License-Identifier: Apache-2.0
// What each kind of caller is to be answered each request of the door's.
#pragma once

#include "crosvisor/service/permissions.hpp"

#include <cstddef>
#include <vector>

namespace crosvisor::tests {

/// Who asks. The VM is the owner's, and was passed to two of them.
enum column : std::size_t {
  unknown,        ///< Nobody knows who sent it.
  nobody,         ///< A user with no permission.
  manager,        ///< manage
  debugger,       ///< debug
  customizer,     ///< custom
  custom_manager, ///< manage and custom
  debug_manager,  ///< manage and debug
  owner,          ///< manage
  custom_owner,   ///< manage and custom; of the same uid in another process
  passed,         ///< manage
  root,
  cert_nobody,
  cert_manager,
  cert_debugger,
  cert_customizer,
  cert_passed, ///< manage
  own_process,
  column_count
};

/// One request, and what each of the columns is answered: `+` it is not refused, `d` denied, `n`
/// no_such_vm, `u` unsupported, `.` nothing, since it has no answer; written down here from what
/// docs/permissions.md says, not from the table in the code. Of those without an answer the second
/// text says what the gate makes of them.
struct row {
  door_request request;
  const char* answers;
  const char* silent = "";
};

//                          unknown, nobody, manager, debugger, customizer, custom_manager,
//                          debug_manager, owner, custom_owner, passed, root, certificates (nobody,
//                          manager, debugger, customizer, passed), own_process
inline constexpr char anybody[] = "dd+++++++++d+++++";
inline constexpr char managers[] = "dd+dd++++++d+dd++";
inline constexpr char debuggers[] = "ddd+dd+ddd+dd+dd+";
inline constexpr char users[] = "ddnddnd++++dndd++";
inline constexpr char users_or_debug[] = "ddn+dn+++++dn+d++";
inline constexpr char users_here[] = "ddnddnd++++dnddu+";
inline constexpr char root_alone[] = "dddddddddd+ddddd+";
inline constexpr char no_answer[] = ".................";

inline const std::vector<row> rows = {
  {door_request::create, managers},
  {door_request::create_custom, "ddddd+dd+d+ddddd+"},
  {door_request::find, users_or_debug},
  {door_request::get_state, users_or_debug},
  {door_request::list, debuggers},
  {door_request::get_host, anybody},
  {door_request::start, users},
  {door_request::stop, users},
  {door_request::kill, users},
  {door_request::suspend, users},
  {door_request::resume, users},
  {door_request::get_balloon, users},
  {door_request::set_balloon, users},
  {door_request::connect, users_here},
  {door_request::connect_privileged, "dddddndd+d+ddddd+"},
  {door_request::open_output, users_here},
  {door_request::subscribe_output, users},
  {door_request::grant_output, no_answer, users},
  {door_request::unsubscribe_output, no_answer, anybody},
  {door_request::read_log, users_or_debug},
  {door_request::subscribe, users_or_debug},
  {door_request::unsubscribe, no_answer, anybody},
  {door_request::watch, debuggers},
  {door_request::unwatch, no_answer, anybody},
  {door_request::attach, users},
  {door_request::detach, no_answer, anybody},
  {door_request::hold, users_or_debug},
  {door_request::drop, users_or_debug},
  {door_request::pass, users},
  {door_request::take_passed, managers},
  {door_request::make_partition, managers},
  {door_request::make_idsig, managers},
  {door_request::subscribe_after, users_or_debug},
  {door_request::drain, root_alone},
  {door_request::end_drain, root_alone},
  {door_request::get_limits, anybody},
  {door_request::get_all_limits, debuggers},
  {door_request::begin_upload, managers},
  {door_request::put_piece, managers},
  {door_request::finish_upload, managers},
  {door_request::list_images, anybody},
  {door_request::list_all_images, debuggers},
  {door_request::read_image, managers},
  {door_request::remove_image, managers},
};

} // namespace crosvisor::tests
