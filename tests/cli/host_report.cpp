// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/host_report.hpp"

#include <caf/test/dsl.hpp>

#include <fcntl.h>

#include <cerrno>

#undef CAF_SUITE
#define CAF_SUITE cli.host_report

using namespace crosvisor;
using namespace crosvisor::cli;

namespace {

host_report sample() {
  host_report report;
  report.host.kvm = {false, "/dev/kvm: No such file or directory"};
  report.host.vhost_vsock = {true, ""};
  report.host.vsock_device = {false, "crosvisor-vsock was not found"};
  report.host.disk_server = {true, "/usr/lib/nbdkit/plugins/nbdkit-composite-plugin.so"};
  report.host.vsock_ports = {{3000, {true, "payload output"}}, {5000, {false, "busy"}}};
  report.host.protected_vms = {false, "needs crosvm on an ARM host with pKVM"};
  report.host.vmms = {
    {vmm_kind::crosvm, "", "", {false, "not found in PATH; CROSVISOR_CROSVM may name it"}, {}},
    {vmm_kind::qemu,
     "/usr/bin/qemu-system-x86_64",
     "QEMU emulator version 7.2.22",
     {true, ""},
     {"pvpanic", "sandbox"}}};
  report.host.memory_mib = 7953;
  report.host.cpus = 2;
  report.demo_guest = {true, "/srv/guest"};
  report.first_cid = 2048;
  report.last_cid = 65535;
  report.runtime_dir = {true, "/run/crosvisor"};
  report.state_dir = {true, "/var/lib/crosvisor"};
  return report;
}

} // namespace

CAF_TEST(people see a table) {
  CAF_CHECK_EQUAL(report_table(sample(), term{}),
                  "KVM             no   /dev/kvm: No such file or directory\n"
                  "vhost-vsock     yes\n"
                  "vsock device    no   crosvisor-vsock was not found\n"
                  "vsock port 3000 yes  payload output\n"
                  "vsock port 5000 no   busy\n"
                  "disk server     yes  /usr/lib/nbdkit/plugins/nbdkit-composite-plugin.so\n"
                  "protected VMs   no   needs crosvm on an ARM host with pKVM\n"
                  "crosvm          no   not found in PATH; CROSVISOR_CROSVM may name it\n"
                  "qemu            yes  /usr/bin/qemu-system-x86_64, QEMU emulator version 7.2.22\n"
                  "                     pvpanic, sandbox\n"
                  "demo guest      yes  /srv/guest\n"
                  "runtime files   yes  /run/crosvisor\n"
                  "kept files      yes  /var/lib/crosvisor\n"
                  "memory               16 to 4194304 MiB a VM; the host has 7953\n"
                  "cpus                 1 to 64 a VM; the host has 2\n"
                  "disks                at most 24 a VM\n"
                  "params               at most 1792 bytes\n"
                  "CIDs                 2048 to 65535\n");
}

CAF_TEST(colours mark what is there and what is not ) {
  auto text = report_table(sample(), term{true});
  CAF_CHECK(text.starts_with("KVM             \x1b[31mno\x1b[0m   /dev/kvm"));
}

CAF_TEST(programs see JSON) {
  CAF_CHECK_EQUAL(report_json(sample()), "{\n"
                                         "  \"schema\": 1,\n"
                                         "  \"version\": \"" CROSVISOR_VERSION "\",\n"
                                         R"(  "kvm": {
    "available": false,
    "detail": "/dev/kvm: No such file or directory"
  },
  "vhost_vsock": {
    "available": true,
    "detail": ""
  },
  "vsock_device": {
    "available": false,
    "detail": "crosvisor-vsock was not found"
  },
  "disk_server": {
    "available": true,
    "detail": "/usr/lib/nbdkit/plugins/nbdkit-composite-plugin.so"
  },
  "vsock_ports": [
    {
      "port": 3000,
      "available": true,
      "detail": "payload output"
    },
    {
      "port": 5000,
      "available": false,
      "detail": "busy"
    }
  ],
  "protected_vms": {
    "available": false,
    "detail": "needs crosvm on an ARM host with pKVM"
  },
  "vmms": {
    "crosvm": {
      "available": false,
      "detail": "not found in PATH; CROSVISOR_CROSVM may name it",
      "path": null,
      "version": null,
      "features": []
    },
    "qemu": {
      "available": true,
      "detail": "",
      "path": "/usr/bin/qemu-system-x86_64",
      "version": "QEMU emulator version 7.2.22",
      "features": [
        "pvpanic",
        "sandbox"
      ]
    }
  },
  "demo_guest": {
    "available": true,
    "detail": "/srv/guest"
  },
  "host": {
    "memory_mib": 7953,
    "cpus": 2
  },
  "limits": {
    "memory_mib": {
      "min": 16,
      "max": 4194304
    },
    "cpus": {
      "min": 1,
      "max": 64
    },
    "disks": {
      "max": 24
    },
    "params_bytes": {
      "max": 1792
    },
    "name_bytes": {
      "max": 64
    },
    "cid": {
      "min": 2048,
      "max": 65535
    }
  },
  "runtime_dir": {
    "available": true,
    "detail": "/run/crosvisor"
  },
  "state_dir": {
    "available": true,
    "detail": "/var/lib/crosvisor"
  }
}
)");
}
CAF_TEST(a daemon is told of and of another host only what it says) {
  auto report = sample();
  report.daemon = capability{true, "tls://far.example:7443"};
  report.is_here = false;
  auto table = report_table(report, term{});
  CAF_CHECK(table.starts_with("daemon          yes  tls://far.example:7443\nKVM "));
  CAF_CHECK(table.find("demo guest") == std::string::npos);
  CAF_CHECK(table.find("CIDs") == std::string::npos);
  auto line = report_json(report, false);
  CAF_CHECK_EQUAL(line.find('\n'), line.size() - 1);
  CAF_CHECK(line.find(R"("daemon":{"available":true,"detail":"tls://far.example:7443"})")
            != std::string::npos);
  CAF_CHECK(line.find("runtime_dir") == std::string::npos);
  report.daemon->available = false;
  CAF_CHECK(report_table(report, term{}).starts_with("daemon          no   tls://"));
}

CAF_TEST(a port of the kernel is tried and one of a device is served) {
  host_info host;
  io::unique_fd opened{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
  std::vector<std::uint32_t> tried;
  io::vsock_calls calls{[&](std::uint32_t port) {
                          tried.push_back(port);
                          return port == 3000 ? -EADDRINUSE : opened.release();
                        },
                        nullptr};
  auto ports = try_vsock_ports(host, calls);
  CAF_CHECK(!ports.at(0).served.available);
  CAF_CHECK_EQUAL(ports.at(0).served.detail, "there is no vsock for guests");
  host.vsock_device = {true, "/usr/libexec/crosvisor/crosvisor-vsock"};
  ports = try_vsock_ports(host, calls);
  CAF_CHECK(ports.at(0).served.available);
  CAF_CHECK_EQUAL(ports.at(1).port, 5000u);
  CAF_CHECK_EQUAL(tried.size(), 0u);
  host.vhost_vsock.available = true;
  ports = try_vsock_ports(host, calls);
  CAF_CHECK(!ports.at(0).served.available);
  CAF_CHECK_EQUAL(ports.at(0).served.detail, "payload output: Address already in use; a service "
                                             "that runs may have it");
  CAF_CHECK(ports.at(1).served.available);
  CAF_CHECK_EQUAL(tried.size(), 2u);
}
