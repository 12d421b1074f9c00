// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/commands.hpp"
#include "crosvisor/cli/event_json.hpp"
#include "crosvisor/cli/event_watch.hpp"
#include "crosvisor/cli/exit_code.hpp"
#include "crosvisor/cli/open_connection.hpp"
#include "crosvisor/cli/print.hpp"
#include "crosvisor/cli/vm_request.hpp"

#include <unistd.h>

namespace crosvisor::cli {

namespace {

outcome<int> watch_over(connection& service, const watch_arguments& arguments) {
  event_watch_options options;
  options.history = arguments.history;
  if (!arguments.vm.empty()) {
    auto cid = vm_request{service, arguments.vm}.find();
    if (const auto* end = std::get_if<early_end>(&cid))
      return *end;
    options.cid = std::get<vm_cid>(cid);
  }
  int printed = done;
  auto paint = term::of(STDOUT_FILENO);
  options.on_event = [&](const vm_event& event) {
    printed = print(arguments.output == output_format::jsonl ? event_json(event) + '\n'
                                                             : event_line(event, paint));
    return printed == done;
  };
  options.say = [](const std::string& what) { complain(done, what); };
  auto ended = watch_events(service, options);
  if (const auto* end = std::get_if<early_end>(&ended))
    return *end;
  return printed;
}

} // namespace

int watch(const watch_arguments& arguments) {
  return with_daemon(arguments.connect,
                     [&](connection& service) { return watch_over(service, arguments); });
}

} // namespace crosvisor::cli
