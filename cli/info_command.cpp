// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/actors/cid_pool.hpp"
#include "crosvisor/cli/commands.hpp"
#include "crosvisor/cli/directories.hpp"
#include "crosvisor/cli/host_report.hpp"
#include "crosvisor/cli/print.hpp"
#include "crosvisor/io/host/host_probe.hpp"
#include "crosvisor/messages/payload_status.hpp"

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
  if (state_dir.available && is_directory(state_dir.detail))
    options.cache_dir = state_dir.detail;
  return io::probe_host(options);
}

/// The ports that a service on this host serves. Trying to would take them from one that runs.
std::vector<vsock_port> expected_ports(const host_info& host) {
  auto vsock = host.vhost_vsock.available || host.vsock_device.available;
  auto port = [&](std::uint32_t number, const char* what) {
    return vsock_port{number, {vsock, vsock ? what : "there is no vsock for guests"}};
  };
  return {port(payload_output_port, "payload output"), port(payload_status_port, "payload status")};
}

host_report make_report(const environment& variables) {
  host_report report;
  auto where = find_directories(variables, ::geteuid());
  report.runtime_dir = {static_cast<bool>(where), where ? where->runtime : where.why().what};
  report.state_dir = {static_cast<bool>(where), where ? where->state : where.why().what};
  report.host = probe(variables, report.state_dir);
  report.host.vsock_ports = expected_ports(report.host);
  report.demo_guest = find_demo_guest(variables);
  report.first_cid = actors::cid_range{}.first;
  report.last_cid = actors::cid_range{}.last;
  return report;
}

} // namespace

int info(const info_arguments& arguments) {
  auto report = make_report(process_environment());
  if (arguments.output == output_format::json)
    return print(report_json(report));
  return print(report_table(report, term::of(STDOUT_FILENO)));
}

} // namespace crosvisor::cli
