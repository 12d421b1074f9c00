// SPDX-License-Identifier: Apache-2.0
// The commands that ask a service one thing of VMs.
#include "crosvisor/cli/commands.hpp"
#include "crosvisor/cli/exit_code.hpp"
#include "crosvisor/cli/limit_report.hpp"
#include "crosvisor/cli/metric_report.hpp"
#include "crosvisor/cli/open_connection.hpp"
#include "crosvisor/cli/port_copy.hpp"
#include "crosvisor/cli/print.hpp"
#include "crosvisor/cli/vm_commands.hpp"
#include "crosvisor/cli/vm_report.hpp"
#include "crosvisor/messages/vm_event.hpp"

#include <unistd.h>

namespace crosvisor::cli {

namespace {

/// Has a daemon do one thing, and then shows what it answered.
template <class Ask, class Show>
int ask_and_show(const connect_arguments& connect, const Ask& ask, const Show& show) {
  return with_daemon(connect, [&](connection& service) -> outcome<int> {
    auto what = ask(service);
    if (const auto* end = std::get_if<early_end>(&what))
      return *end;
    return show(service, std::get<0>(what));
  });
}

constexpr auto nothing = [](connection&, const auto&) -> int { return done; };

vm_shown shown_for(const connection& service) {
  auto is_here = service.where().kind != endpoint_kind::tls;
  return {is_here ? host_users() : unknown_users(), unix_time_ms(), term::of(STDOUT_FILENO)};
}

} // namespace

int do_verb(const verb_arguments& arguments) {
  return ask_and_show(
    arguments.connect, [&](connection& service) { return do_verb(service, arguments); }, nothing);
}

int stop(const stop_arguments& arguments) {
  return ask_and_show(
    arguments.connect, [&](connection& service) { return stop_vm(service, arguments); },
    [](connection&, const vm_info& vm) -> int {
      say("vm " + std::to_string(vm.cid) + ' ' + state_words(vm) + '\n');
      return done;
    });
}

int list(const list_arguments& arguments) {
  return ask_and_show(arguments.connect, list_vms,
                      [&](const connection& service, const std::vector<vm_info>& vms) {
                        return print(list_report(vms, arguments.output, shown_for(service)));
                      });
}

int vm_info_of(const info_arguments& arguments) {
  return ask_and_show(
    arguments.connect, [&](connection& service) { return get_vm(service, arguments.vm); },
    [&](const connection& service, const vm_info& vm) {
      return print(vm_report(vm, arguments.output, shown_for(service)));
    });
}

int limits_of(const info_arguments& arguments) {
  return ask_and_show(arguments.connect, get_limits,
                      [&](const connection&, const std::vector<limit_info>& limits) {
                        return print(limit_report(limits, arguments.output));
                      });
}

int metrics_of(const info_arguments& arguments) {
  return ask_and_show(arguments.connect, get_metrics,
                      [&](const connection&, const std::vector<metric_family>& all) {
                        return print(metric_report(all, arguments.output));
                      });
}

int balloon(const balloon_arguments& arguments) {
  if (arguments.size_bytes)
    return ask_and_show(
      arguments.connect, [&](connection& service) { return set_balloon(service, arguments); },
      nothing);
  return ask_and_show(
    arguments.connect, [&](connection& service) { return get_balloon(service, arguments); },
    [&](const connection&, const balloon_info& info) {
      return print(balloon_report(info, arguments.output));
    });
}

int pass(const pass_arguments& arguments) {
  return ask_and_show(
    arguments.connect, [&](connection& service) { return pass_vm(service, arguments); },
    [](const connection&, const ticket& word) { return print(word + '\n'); });
}

int take(const take_arguments& arguments) {
  return ask_and_show(
    arguments.connect, [&](connection& service) { return take_vm(service, arguments); },
    [](const connection&, const vm_info& vm) { return print(std::to_string(vm.cid) + '\n'); });
}

int drain(const drain_arguments& arguments) {
  return ask_and_show(
    arguments.connect, [&](connection& service) { return drain(service, arguments); }, nothing);
}

int connect(const port_arguments& arguments) {
  return ask_and_show(
    arguments.connect, [&](connection& service) { return connect_port(service, arguments); },
    [](const connection&, io::unique_fd& socket) -> int {
      auto problem = copy_both_ways(STDIN_FILENO, STDOUT_FILENO, std::move(socket));
      return problem.empty() ? static_cast<int>(done) : complain(failed, problem);
    });
}

} // namespace crosvisor::cli
