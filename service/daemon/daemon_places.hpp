// SPDX-License-Identifier: Apache-2.0
// Where a daemon has its files, as the host's one or as a user's own.
#pragma once

#include "crosvisor/io/result.hpp"
#include "crosvisor/service/daemon/daemon_arguments.hpp"
#include "crosvisor/service/daemon/daemon_config.hpp"
#include "crosvisor/service/directories.hpp"

#include <sys/types.h>

#include <string>

namespace crosvisor {

struct daemon_places {
  /// Of the configuration; empty: there is none, and the defaults hold.
  std::string config;
  /// Whether it was asked for, so that it must be there.
  bool config_required = false;
  /// Where the configuration does not say it.
  std::string socket;
  directories where;
};

/// The configuration's part of it: where there is no other, `crosvisor/crosvisor.json` below /etc
/// or, of a user's own daemon, below XDG_CONFIG_HOME or ~/.config.
daemon_places find_config(const daemon_arguments& arguments, const environment& variables);

/// The whole. Fails where only root has a place for the host's daemon, and where a user has none.
/// @param uid who runs the daemon.
io::result<daemon_places> find_daemon_places(const daemon_arguments& arguments,
                                             const environment& variables, uid_t uid);

/// The configuration at its place, with what the mode of the daemon makes of it: a user's own
/// socket is for that user, who may do everything.
io::result<daemon_config> load_config_of(const daemon_places& places, bool user, uid_t uid);

/// Makes the directory for what runs, where it is missing. Of the host's daemon it is 0755, so that
/// its socket can be reached; what is in it is closed by itself. A user's own is 0700.
io::result<void> make_runtime_dir(const std::string& path, bool user);

} // namespace crosvisor
