// SPDX-License-Identifier: Apache-2.0
// What the commands about one VM do over a connection.
#pragma once

#include "crosvisor/cli/arguments.hpp"
#include "crosvisor/cli/outcome.hpp"
#include "crosvisor/service/connection.hpp"

#include <vector>

namespace crosvisor::cli {

/// Each blocks until the service has answered.
outcome<vm_info> do_verb(connection& service, const verb_arguments& what);
outcome<vm_info> stop_vm(connection& service, const stop_arguments& what);
outcome<balloon_info> get_balloon(connection& service, const balloon_arguments& what);
/// @param what its size is given.
outcome<caf::ok_atom> set_balloon(connection& service, const balloon_arguments& what);
/// The word to say.
outcome<ticket> pass_vm(connection& service, const pass_arguments& what);
outcome<vm_info> take_vm(connection& service, const take_arguments& what);
outcome<caf::ok_atom> drain(connection& service, const drain_arguments& what);
outcome<std::vector<vm_info>> list_vms(connection& service);
outcome<std::vector<limit_info>> get_limits(connection& service);
outcome<std::vector<metric_family>> get_metrics(connection& service);
outcome<vm_info> get_vm(connection& service, const std::string& vm);
/// A connected stream socket.
outcome<io::unique_fd> connect_port(connection& service, const port_arguments& what);

} // namespace crosvisor::cli
