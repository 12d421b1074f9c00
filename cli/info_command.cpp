// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/actors/cid_pool.hpp"
#include "crosvisor/cli/commands.hpp"
#include "crosvisor/cli/directories.hpp"
#include "crosvisor/cli/host_report.hpp"
#include "crosvisor/cli/print.hpp"
#include "crosvisor/io/guest/guest_door.hpp"
#include "crosvisor/io/host/host_probe.hpp"
#include "crosvisor/messages/payload_status.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

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

/// Whether a service could serve this port for guests now. Devices serve it in any case; in the
/// kernel it is tried, for a moment: a service that has it keeps it.
capability try_port(std::uint32_t port, const char* what, const host_info& host) {
  if (host.vhost_vsock.available) {
    auto listener = io::kernel_vsock_calls().listen(port);
    if (io::unique_fd closed{listener}; closed)
      return {true, what};
    return {false, std::string{what} + ": " + std::strerror(-listener)
                     + (listener == -EADDRINUSE ? "; a service that runs may have it" : "")};
  }
  if (host.vsock_device.available)
    return {true, what};
  return {false, "there is no vsock for guests"};
}

std::vector<vsock_port> try_ports(const host_info& host) {
  return {{payload_output_port, try_port(payload_output_port, "payload output", host)},
          {payload_status_port, try_port(payload_status_port, "payload status", host)}};
}

host_report make_report(const environment& variables) {
  host_report report;
  auto where = find_directories(variables, ::geteuid());
  report.runtime_dir = {static_cast<bool>(where), where ? where->runtime : where.why().what};
  report.state_dir = {static_cast<bool>(where), where ? where->state : where.why().what};
  report.host = probe(variables, report.state_dir);
  report.host.vsock_ports = try_ports(report.host);
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
