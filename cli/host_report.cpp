// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/host_report.hpp"

#include "crosvisor/cli/json_parts.hpp"
#include "crosvisor/io/config/printable.hpp"
#include "crosvisor/messages/payload_status.hpp"
#include "crosvisor/messages/vm_event.hpp"

#include <cerrno>
#include <cstring>

namespace crosvisor::cli {

namespace {

using json = nlohmann::ordered_json;

std::string cell(const std::string& text, std::size_t width) {
  return text + std::string(text.size() < width ? width - text.size() : 1, ' ');
}

constexpr std::size_t name_width = 16;
constexpr std::size_t answer_width = 5;

std::string line(const std::string& name, const capability& what, const term& paint) {
  auto answer = what.available ? paint.paint(style::good, "yes") : paint.paint(style::bad, "no");
  auto gap = std::string(answer_width - (what.available ? 3 : 2), ' ');
  auto text = cell(name, name_width) + answer;
  return (what.detail.empty() ? text : text + gap + io::printable(what.detail, 400)) + '\n';
}

std::string more(const std::string& name, const std::string& text) {
  return cell(name, name_width + answer_width) + text + '\n';
}

/// A port's name is its number; what it is for is told where it is served.
std::string port_lines(const host_info& host, const term& paint) {
  std::string lines;
  for (const auto& [port, served] : host.vsock_ports)
    lines += line("vsock port " + std::to_string(port), served, paint);
  return lines;
}

std::string vmm_lines(const vmm_info& vmm, const term& paint) {
  auto what = vmm.usable;
  if (what.available)
    what.detail = vmm.version.empty() ? vmm.path : vmm.path + ", " + vmm.version;
  auto lines = line(to_string(vmm.kind), what, paint);
  if (!what.available || vmm.features.empty())
    return lines;
  std::string words;
  for (const auto& feature : vmm.features)
    words += (words.empty() ? "" : ", ") + feature;
  return lines + more("", words);
}

std::string range(std::uint64_t low, std::uint64_t high) {
  return std::to_string(low) + " to " + std::to_string(high);
}

std::string limit_lines(const host_report& report) {
  const auto& host = report.host;
  return more("memory", range(min_memory_mib, max_memory_mib) + " MiB a VM; the host has "
                          + std::to_string(host.memory_mib))
         + more("cpus", range(1, max_cpus) + " a VM; the host has " + std::to_string(host.cpus))
         + more("disks", "at most " + std::to_string(max_disks) + " a VM")
         + more("params", "at most " + std::to_string(max_params_bytes) + " bytes")
         + (report.is_here ? more("CIDs", range(report.first_cid, report.last_cid)) : "");
}

json capability_json(const capability& what) {
  return {{"available", what.available}, {"detail", what.detail}};
}

json ports_json(const host_info& host) {
  json ports = json::array();
  for (const auto& [port, served] : host.vsock_ports) {
    auto object = json{{"port", port}};
    object.update(capability_json(served));
    ports.push_back(object);
  }
  return ports;
}

json vmm_json(const vmm_info& vmm) {
  auto object = capability_json(vmm.usable);
  object["path"] = vmm.path.empty() ? json() : json(vmm.path);
  object["version"] = vmm.version.empty() ? json() : json(vmm.version);
  object["features"] = vmm.features;
  return object;
}

json limits_json(const host_report& report) {
  json limits{{"memory_mib", {{"min", min_memory_mib}, {"max", max_memory_mib}}},
              {"cpus", {{"min", 1}, {"max", max_cpus}}},
              {"disks", {{"max", max_disks}}},
              {"params_bytes", {{"max", max_params_bytes}}},
              {"name_bytes", {{"max", max_name_bytes}}}};
  if (report.is_here)
    limits["cid"] = {{"min", report.first_cid}, {"max", report.last_cid}};
  return limits;
}

capability try_port(std::uint32_t port, const char* what, const host_info& host,
                    const io::vsock_calls& calls) {
  if (host.vhost_vsock.available) {
    auto listener = calls.listen(port);
    if (io::unique_fd closed{listener}; closed)
      return {true, what};
    return {false, std::string{what} + ": " + std::strerror(-listener)
                     + (listener == -EADDRINUSE ? "; a service that runs may have it" : "")};
  }
  if (host.vsock_device.available)
    return {true, what};
  return {false, "there is no vsock for guests"};
}

} // namespace

std::vector<vsock_port> try_vsock_ports(const host_info& host, const io::vsock_calls& calls) {
  return {{payload_output_port, try_port(payload_output_port, "payload output", host, calls)},
          {payload_status_port, try_port(payload_status_port, "payload status", host, calls)}};
}

std::string report_table(const host_report& report, const term& paint) {
  const auto& host = report.host;
  auto text = report.daemon ? line("daemon", *report.daemon, paint) : std::string{};
  text += line("KVM", host.kvm, paint) + line("vhost-vsock", host.vhost_vsock, paint)
          + line("vsock device", host.vsock_device, paint) + port_lines(host, paint)
          + line("disk server", host.disk_server, paint)
          + line("protected VMs", host.protected_vms, paint);
  for (const auto& vmm : host.vmms)
    text += vmm_lines(vmm, paint);
  if (report.is_here)
    text += line("demo guest", report.demo_guest, paint)
            + line("runtime files", report.runtime_dir, paint)
            + line("kept files", report.state_dir, paint);
  return text + limit_lines(report);
}

std::string report_json(const host_report& report, bool indented) {
  const auto& host = report.host;
  json vmms = json::object();
  for (const auto& vmm : host.vmms)
    vmms[to_string(vmm.kind)] = vmm_json(vmm);
  json object{{"schema", event_schema}, {"version", CROSVISOR_VERSION}};
  if (report.daemon)
    object["daemon"] = capability_json(*report.daemon);
  object.update({{"kvm", capability_json(host.kvm)},
                 {"vhost_vsock", capability_json(host.vhost_vsock)},
                 {"vsock_device", capability_json(host.vsock_device)},
                 {"disk_server", capability_json(host.disk_server)},
                 {"vsock_ports", ports_json(host)},
                 {"protected_vms", capability_json(host.protected_vms)},
                 {"vmms", vmms}});
  if (report.is_here)
    object["demo_guest"] = capability_json(report.demo_guest);
  object["host"] = {{"memory_mib", host.memory_mib}, {"cpus", host.cpus}};
  object["limits"] = limits_json(report);
  if (report.is_here) {
    object["runtime_dir"] = capability_json(report.runtime_dir);
    object["state_dir"] = capability_json(report.state_dir);
  }
  return json_text(object, indented);
}

} // namespace crosvisor::cli
