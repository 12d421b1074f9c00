// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/commands.hpp"
#include "crosvisor/cli/exit_code.hpp"
#include "crosvisor/cli/kept_logs.hpp"
#include "crosvisor/cli/log_showing.hpp"
#include "crosvisor/cli/open_connection.hpp"
#include "crosvisor/cli/print.hpp"
#include "crosvisor/cli/request_errors.hpp"
#include "crosvisor/io/config/printable.hpp"
#include "crosvisor/io/log/kept_logs.hpp"
#include "crosvisor/service/directories.hpp"

#include <unistd.h>

#include <cerrno>
#include <thread>

namespace crosvisor::cli {

namespace {

log_display on_terminal() {
  return {[](std::string_view bytes) { return print(bytes); },
          [](const std::string& what) { complain(done, what); },
          [](std::chrono::milliseconds time) { std::this_thread::sleep_for(time); }};
}

int finish(const log_shown& shown, log_kind log) {
  if (shown.exit_code == done && shown.bytes == 0)
    complain(done, "vm " + std::to_string(shown.cid) + " has nothing in its kept " + to_string(log)
                     + " log");
  return shown.exit_code;
}

std::string not_kept(const std::string& wanted, const std::vector<io::logged_vm>& vms) {
  constexpr std::size_t shown = 5;
  auto what = "no logs of " + io::in_quotes(wanted) + " are kept; ";
  if (vms.empty())
    return what + "there are none at all";
  what += "there are those of";
  for (std::size_t i = 0; i < vms.size() && i < shown; ++i) {
    const auto& vm = vms[vms.size() - 1 - i];
    what += (i == 0 ? " " : ", ") + std::to_string(vm.cid) + " (" + io::printable(vm.name) + ')';
  }
  return vms.size() > shown ? what + ", …" : what;
}

/// What the VMs of this user's own processes left.
int show_own(const logs_arguments& arguments) {
  auto state_dir = find_state_dir(process_environment(), ::geteuid());
  if (!state_dir)
    return complain(usage, state_dir.why().what);
  auto shown =
    show_log(kept_logs(*state_dir), arguments.vm, arguments.log, arguments.follow, on_terminal());
  const auto* why = std::get_if<caf::error>(&shown);
  if (why == nullptr)
    return finish(std::get<log_shown>(shown), arguments.log);
  if (errc_of(*why) == vm_errc::no_such_vm)
    return complain(not_found, not_kept(arguments.vm, io::list_logged_vms(*state_dir)));
  return complain(failed, words_of_error(*why));
}

outcome<int> show_of(connection& service, const logs_arguments& arguments) {
  auto display = on_terminal();
  auto shown = show_log(service_logs(service, display.say), arguments.vm, arguments.log,
                        arguments.follow, display);
  const auto* why = std::get_if<caf::error>(&shown);
  if (why == nullptr)
    return finish(std::get<log_shown>(shown), arguments.log);
  if (errc_of(*why) == vm_errc::no_such_vm)
    return early_end{not_found, "no logs of " + io::in_quotes(arguments.vm) + " are kept by "
                                  + words_of(service.where())};
  return end_of(*why, service.where());
}

} // namespace

int logs(const logs_arguments& arguments) {
  auto where = choose_endpoint(arguments.connect, own_surroundings(), without_daemon::embed);
  if (const auto* end = std::get_if<early_end>(&where))
    return complain(general_exit_code(end->exit_code), end->what);
  if (std::get<endpoint>(where).kind == endpoint_kind::embedded)
    return show_own(arguments);
  return with_daemon(arguments.connect,
                     [&](connection& service) { return show_of(service, arguments); });
}

} // namespace crosvisor::cli
