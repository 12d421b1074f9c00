// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/actors/cid_pool.hpp"
#include "crosvisor/cli/commands.hpp"
#include "crosvisor/cli/host_report.hpp"
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

host_report make_report(const environment& variables) {
  host_report report;
  auto where = find_directories(variables, ::geteuid());
  report.runtime_dir = {static_cast<bool>(where), where ? where->runtime : where.why().what};
  report.state_dir = {static_cast<bool>(where), where ? where->state : where.why().what};
  report.host = probe(variables, report.state_dir);
  report.host.vsock_ports = try_vsock_ports(report.host, io::kernel_vsock_calls());
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
