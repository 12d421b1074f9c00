// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/commands.hpp"
#include "crosvisor/cli/exit_code.hpp"
#include "crosvisor/cli/open_connection.hpp"
#include "crosvisor/cli/print.hpp"
#include "crosvisor/cli/timeline.hpp"
#include "crosvisor/cli/told_events.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

namespace crosvisor::cli {

namespace {

constexpr std::size_t columns_elsewhere = 80;

/// Of the terminal that standard output is; 80 where it is none.
std::size_t columns() {
  winsize size{};
  auto known = ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : columns_elsewhere;
}

std::string drawn(const start_timeline& of, timeline_format how) {
  switch (how) {
    case timeline_format::json: return timeline_json(of);
    case timeline_format::svg: return timeline_svg(of);
    case timeline_format::trace: return timeline_trace(of);
    case timeline_format::text: break;
  }
  return timeline_text(of, columns());
}

outcome<int> draw(connection& service, const timeline_arguments& arguments) {
  auto events = told_events_of(service, arguments.vm);
  if (const auto* end = std::get_if<early_end>(&events))
    return *end;
  auto made = make_timeline(std::get<std::vector<vm_event>>(events));
  if (made.lives.empty())
    return early_end{failed, "the daemon keeps no events of VM " + arguments.vm
                               + "'s start (limits.events_kept)"};
  return print(drawn(made, arguments.output));
}

} // namespace

int timeline(const timeline_arguments& arguments) {
  return with_daemon(arguments.connect,
                     [&](connection& service) { return draw(service, arguments); });
}

} // namespace crosvisor::cli
