// SPDX-License-Identifier: Apache-2.0
// Which service a command speaks to.
#pragma once

#include "crosvisor/cli/arguments.hpp"
#include "crosvisor/cli/outcome.hpp"
#include "crosvisor/service/connection.hpp"
#include "crosvisor/service/directories.hpp"

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace crosvisor::cli {

/// What the choice depends on; a test gives its own.
struct connection_surroundings {
  environment variables;
  uid_t uid = 0;
  /// Whether a socket with that path is there.
  std::function<bool(const std::string&)> is_socket;
};

/// This process's own.
connection_surroundings own_surroundings();

/// What a command does where nobody said where the service is, and no daemon is there.
enum class without_daemon {
  embed,  ///< It has a service of its own.
  refuse, ///< It is about VMs that are there already.
};

/// The sockets of daemons that are looked for, in their order: CROSVISOR_RUNTIME_DIR's alone where
/// that is set; else root looks for the host's daemon, and others for their own first.
std::vector<std::string> daemon_sockets(const connection_surroundings& around);

/// The first of them that is there.
std::optional<std::string> find_daemon(const connection_surroundings& around);

/// --connect, else CROSVISOR_CONNECT, else the first daemon that is there, else what `otherwise`
/// says. An end says what was looked for and how to get it. A service in this process that was
/// asked for by a command that can't have one is an end, too.
outcome<endpoint> choose_endpoint(const connect_arguments& given,
                                  const connection_surroundings& around, without_daemon otherwise);

/// The same with all that it takes to connect there.
outcome<connection_options> choose_connection(const connect_arguments& given,
                                              const connection_surroundings& around,
                                              without_daemon otherwise);

/// How a service is called in a sentence.
std::string words_of(const endpoint& where);

} // namespace crosvisor::cli
