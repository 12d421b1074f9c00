// SPDX-License-Identifier: Apache-2.0
// Who may do what: the one table.
#pragma once

#include "crosvisor/messages/caller.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace crosvisor {

/// What may be granted. Root and the service's own process have all.
enum class permission : std::uint8_t {
  manage, ///< To create VMs and images, and to use VMs of one's own.
  debug,  ///< To see every VM, its events and logs, and to hold and drop it.
  custom, ///< To run kernels, firmware and parameters of one's own, and to use privileged ports.
};
inline constexpr std::size_t permission_count = 3;

/// Whether nothing is refused to them, and every VM is theirs: the service's own process, and root
/// at the other end of a socket. A certificate is never that.
bool may_do_all(const caller& who) noexcept;

/// To whom one permission is granted.
struct permission_grant {
  std::vector<std::uint32_t> uids;
  std::vector<std::uint32_t> gids; ///< Primary and supplementary.
  std::vector<std::string> subjects;
};

/// The grants of a configuration, indexed by permission.
struct permission_grants {
  permission_grant of[permission_count];

  bool allows(const caller& who, permission what) const noexcept;
  /// Whether there is anything that they may do.
  bool knows(const caller& who) const noexcept;
};

/// Every message of the door's, where one with the same types asks for different rights by what it
/// holds, each of these.
enum class door_request : std::uint8_t {
  create,
  create_custom, ///< With a kernel, firmware or parameters of the caller's own.
  find,
  get_state,
  list,
  get_host,
  start,
  stop,
  kill,
  suspend,
  resume,
  get_balloon,
  set_balloon,
  connect,
  connect_privileged, ///< To a port below first_unprivileged_port.
  open_output,
  subscribe_output,
  grant_output,
  unsubscribe_output,
  read_log,
  subscribe,
  unsubscribe,
  watch,
  unwatch,
  attach,
  detach,
  hold,
  drop,
  pass,
  take_passed,
  make_partition,
  make_idsig,
  subscribe_after,
  drain,
  end_drain,
  get_limits,
  get_all_limits, ///< What others have, too.
  begin_upload,
  put_piece,
  finish_upload,
  list_images,
  list_all_images, ///< Others', too.
  read_image,
  remove_image,
};
inline constexpr std::size_t door_request_count = 44;

/// What a request asks for.
struct door_rule {
  door_request request;
  /// All of these. None: to have anything is enough.
  std::vector<permission> needs;
  /// It is about one VM, and for its owner and whom it was passed to...
  bool of_ones_own = false;
  /// ... or, where that is set, for whoever has `debug`, who needs nothing else.
  bool or_debug = false;
  /// It is about everybody's VMs, and for who may do all.
  bool of_root = false;
};

/// The whole table, one rule for each request, in the order of the enumeration.
std::span<const door_rule> door_rules();

const door_rule& rule_of(door_request request);

/// Stable names, as configurations and errors spell them.
std::string to_string(permission what);
std::string to_string(door_request request);

} // namespace crosvisor
