// SPDX-License-Identifier: Apache-2.0
// What this host can do, printed.
#pragma once

#include "crosvisor/cli/term.hpp"
#include "crosvisor/io/guest/guest_door.hpp"
#include "crosvisor/messages/host_info.hpp"

#include <optional>
#include <string>
#include <vector>

namespace crosvisor::cli {

/// All that `crosvisor info` shows.
struct host_report {
  /// The daemon, where it is or why it does not answer; none where there is none.
  std::optional<capability> daemon;
  /// It is about this host, of which more is known.
  bool is_here = true;
  host_info host;
  /// The demo guest: its folder where it is there, else where it was looked for.
  capability demo_guest;
  vm_cid first_cid = no_cid;
  vm_cid last_cid = no_cid;
  /// Where files are kept, or why there is no place for them.
  capability runtime_dir;
  capability state_dir;
};

/// Whether a service could serve each host port for guests now. Devices serve them in any case; in
/// the kernel it is tried, for a moment: a service that has a port keeps it.
std::vector<vsock_port> try_vsock_ports(const host_info& host, const io::vsock_calls& calls);

/// One line for each thing: its name, yes or no, and what there is to know of it.
std::string report_table(const host_report& report, const term& paint);

/// The same for programs, with `"schema": 1`; indented or on one line, with a final line break.
std::string report_json(const host_report& report, bool indented = true);

} // namespace crosvisor::cli
