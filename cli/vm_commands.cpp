// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/vm_commands.hpp"

#include "crosvisor/cli/exit_code.hpp"
#include "crosvisor/cli/open_connection.hpp"
#include "crosvisor/cli/vm_request.hpp"
#include "crosvisor/io/config/printable.hpp"
#include "crosvisor/service/service.hpp"

#include <tuple>

namespace crosvisor::cli {

namespace {

template <class Verb>
outcome<vm_info> ask_verb(connection& service, const std::string& vm, Verb verb,
                          caf::timespan bound = request_bound) {
  return vm_request{service, vm}.ask<vm_info>(bound, [=](vm_cid cid) {
    return std::tuple{verb, cid};
  });
}

/// What the longest stop takes whose guest gets so long.
caf::timespan stop_bound(caf::timespan grace) {
  return longest_stop(actors::vm_timeouts{}, grace) + answer_slack;
}

} // namespace

outcome<vm_info> do_verb(connection& service, const verb_arguments& what) {
  switch (what.verb) {
    case vm_verb::start: return ask_verb(service, what.vm, start_atom::value, start_bound);
    case vm_verb::suspend: return ask_verb(service, what.vm, suspend_atom::value);
    case vm_verb::resume: return ask_verb(service, what.vm, resume_atom::value);
    case vm_verb::hold: return ask_verb(service, what.vm, hold_atom::value);
    case vm_verb::drop: break;
  }
  return ask_verb(service, what.vm, drop_atom::value);
}

outcome<vm_info> stop_vm(connection& service, const stop_arguments& what) {
  if (what.force)
    return ask_verb(service, what.vm, kill_atom::value, stop_bound(caf::timespan::zero()));
  auto grace = what.timeout ? caf::timespan{*what.timeout} : default_grace;
  return vm_request{service, what.vm}.ask<vm_info>(stop_bound(grace), [=](vm_cid cid) {
    return std::tuple{stop_atom::value, cid, grace};
  });
}

outcome<balloon_info> get_balloon(connection& service, const balloon_arguments& what) {
  return vm_request{service, what.vm}.ask<balloon_info>(request_bound, [](vm_cid cid) {
    return std::tuple{caf::get_atom::value, balloon_atom::value, cid};
  });
}

outcome<caf::ok_atom> set_balloon(connection& service, const balloon_arguments& what) {
  return vm_request{service, what.vm}.ask<caf::ok_atom>(request_bound, [&](vm_cid cid) {
    return std::tuple{caf::put_atom::value, balloon_atom::value, cid, *what.size_bytes};
  });
}

outcome<ticket> pass_vm(connection& service, const pass_arguments& what) {
  return vm_request{service, what.vm}.ask<ticket>(request_bound, [](vm_cid cid) {
    return std::tuple{pass_atom::value, cid};
  });
}

outcome<vm_info> take_vm(connection& service, const take_arguments& what) {
  return outcome_of(ask<vm_info>(service, request_bound, pass_atom::value, what.word),
                    service.where());
}

outcome<caf::ok_atom> drain(connection& service, const drain_arguments& what) {
  auto grace = what.timeout ? caf::timespan{*what.timeout} : default_grace;
  auto answered = what.resume
                    ? ask<caf::ok_atom>(service, request_bound, resume_atom::value)
                    : ask<caf::ok_atom>(service, stop_bound(grace), drain_atom::value, grace);
  return outcome_of(std::move(answered), service.where());
}

outcome<std::vector<vm_info>> list_vms(connection& service) {
  return outcome_of(ask<std::vector<vm_info>>(service, request_bound, list_atom::value),
                    service.where());
}

outcome<std::vector<limit_info>> get_limits(connection& service) {
  return outcome_of(
    ask<std::vector<limit_info>>(service, request_bound, caf::get_atom::value, limits_atom::value),
    service.where());
}

outcome<std::vector<metric_family>> get_metrics(connection& service) {
  return outcome_of(ask<std::vector<metric_family>>(service, request_bound, caf::get_atom::value,
                                                    metrics_atom::value),
                    service.where());
}

outcome<vm_info> get_vm(connection& service, const std::string& vm) {
  return vm_request{service, vm}.info();
}

outcome<io::unique_fd> connect_port(connection& service, const port_arguments& what) {
  if (!service.passes_descriptors())
    return early_end{failed, "a guest's port is reached on its own host alone, and "
                               + words_of(service.where()) + " is on another"};
  auto given = what.timeout ? caf::timespan{*what.timeout} : caf::timespan::zero();
  auto word = vm_request{service, what.vm}.ask<ticket>(given + request_bound, [&](vm_cid cid) {
    return std::tuple{caf::connect_atom::value, cid, *what.port, given};
  });
  if (const auto* end = std::get_if<early_end>(&word))
    return *end;
  auto socket = service.take(std::get<ticket>(word));
  if (!socket)
    return early_end{failed, io::printable(socket.why().what, 800)};
  return std::move(*socket);
}

} // namespace crosvisor::cli
