// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/actors/cid_pool.hpp"
#include "crosvisor/cli/commands.hpp"
#include "crosvisor/cli/door_request.hpp"
#include "crosvisor/cli/exit_code.hpp"
#include "crosvisor/cli/host_report.hpp"
#include "crosvisor/cli/open_connection.hpp"
#include "crosvisor/cli/print.hpp"
#include "crosvisor/io/guest/guest_door.hpp"
#include "crosvisor/io/host/host_probe.hpp"
#include "crosvisor/service/directories.hpp"

#include <sys/stat.h>
#include <unistd.h>

namespace crosvisor::cli {

namespace {

bool is_directory(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

bool is_readable(const std::string& path) {
  return ::access(path.c_str(), R_OK) == 0;
}

capability find_demo_guest(const environment& variables) {
  auto folder = variables("CROSVISOR_GUEST_DIR").value_or("/usr/share/crosvisor/guest");
  if (is_readable(folder + "/demo.json"))
    return {true, folder + "/demo.json"};
  return {false, "no demo.json in " + folder + "; CROSVISOR_GUEST_DIR may name its folder"};
}

host_info probe(const environment& variables, const capability& state_dir) {
  io::host_probe_options options;
  options.crosvm = variables("CROSVISOR_CROSVM").value_or("");
  options.qemu = variables("CROSVISOR_QEMU").value_or("");
  options.vsock_program = variables("CROSVISOR_VSOCK").value_or("");
  options.disk_plugin = variables("CROSVISOR_NBDKIT_PLUGIN").value_or("");
  if (state_dir.available && is_directory(state_dir.detail))
    options.cache_dir = state_dir.detail;
  return io::probe_host(options);
}

/// What there is to say of this host besides what VMs find.
void add_places(host_report& report, const environment& variables) {
  auto where = find_directories(variables, ::geteuid());
  report.runtime_dir = {static_cast<bool>(where), where ? where->runtime : where.why().what};
  report.state_dir = {static_cast<bool>(where), where ? where->state : where.why().what};
  report.demo_guest = find_demo_guest(variables);
  report.first_cid = actors::cid_range{}.first;
  report.last_cid = actors::cid_range{}.last;
}

/// This host, as a service of this process would find it.
host_report own_report(const environment& variables) {
  host_report report;
  add_places(report, variables);
  report.host = probe(variables, report.state_dir);
  report.host.vsock_ports = try_vsock_ports(report.host, io::kernel_vsock_calls());
  return report;
}

/// What the daemon says of its host.
outcome<host_info> ask_daemon(const connect_arguments& connect) {
  auto opened = open_connection(connect, without_daemon::refuse);
  if (const auto* end = std::get_if<early_end>(&opened))
    return *end;
  auto& service = *std::get<0>(opened);
  return outcome_of(ask<host_info>(service, request_bound, caf::get_atom::value, host_atom::value),
                    service.where());
}

/// The daemon's word of its host counts for more than ours: it runs the VMs.
host_report report_of(const host_info& host, const endpoint& where, const environment& variables) {
  host_report report;
  report.host = host;
  report.daemon = capability{true, to_string(where)};
  report.is_here = where.kind != endpoint_kind::tls;
  if (report.is_here)
    add_places(report, variables);
  return report;
}

/// A daemon that was not named and does not answer is only told of.
outcome<host_report> make_report(const info_arguments& arguments) {
  auto variables = process_environment();
  auto chosen = choose_endpoint(arguments.connect, own_surroundings(), without_daemon::embed);
  if (const auto* end = std::get_if<early_end>(&chosen))
    return *end;
  auto where = std::get<endpoint>(chosen);
  if (where.kind == endpoint_kind::embedded)
    return own_report(variables);
  auto host = ask_daemon(arguments.connect);
  const auto* end = std::get_if<early_end>(&host);
  if (end == nullptr)
    return report_of(std::get<host_info>(host), where, variables);
  if (!arguments.connect.where.empty() || variables("CROSVISOR_CONNECT"))
    return early_end{general_exit_code(end->exit_code), end->what};
  auto report = own_report(variables);
  report.daemon = capability{false, end->what};
  return report;
}

std::string text_of(const host_report& report, output_format how) {
  if (how == output_format::table)
    return report_table(report, term::of(STDOUT_FILENO));
  return report_json(report, how == output_format::json);
}

} // namespace

int info(const info_arguments& arguments) {
  if (!arguments.vm.empty())
    return vm_info_of(arguments);
  if (arguments.limits)
    return limits_of(arguments);
  if (arguments.metrics)
    return metrics_of(arguments);
  auto report = make_report(arguments);
  if (const auto* end = std::get_if<early_end>(&report))
    return complain(end->exit_code, end->what);
  return print(text_of(std::get<host_report>(report), arguments.output));
}

} // namespace crosvisor::cli
