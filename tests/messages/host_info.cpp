// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/messages/host_info.hpp"

#include <caf/test/dsl.hpp>

#undef CAF_SUITE
#define CAF_SUITE messages.host_info

using namespace crosvisor;

namespace {

struct fixture {
  vm_config config;
  host_info host;

  fixture() {
    config.kernel = {"vmlinux", 0};
    host.memory_mib = 1024;
    host.kvm = {true, ""};
    host.protected_vms = {false, "no pKVM"};
    host.vmms = {{vmm_kind::crosvm, "/usr/bin/crosvm", "crosvm 0.1", {true, ""}, {}},
                 {vmm_kind::qemu, "/usr/bin/qemu-system-x86_64", "QEMU 7.2", {true, ""}, {}}};
  }

  void remove(vmm_kind kind) {
    for (auto& vmm : host.vmms)
      if (vmm.kind == kind)
        vmm.usable = {false, "not found; install " + to_string(kind)};
  }

  /// `qemu tcg`, or `refused: …`, with `config: ` before the reason where the configuration is at
  /// fault.
  std::string choose() const {
    auto choice = choose_vmm(config, host);
    if (const auto* no = std::get_if<refusal>(&choice))
      return (no->config_at_fault ? "config: " : "host: ") + no->why;
    auto chosen = std::get<vmm_choice>(choice);
    return to_string(chosen.vmm) + " " + to_string(chosen.accel);
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(choose_vmm_tests, fixture)

CAF_TEST(auto takes crosvm where it works) {
  CAF_CHECK_EQUAL(choose(), "crosvm kvm");
}

CAF_TEST(auto takes qemu where crosvm is missing or has no kvm) {
  remove(vmm_kind::crosvm);
  CAF_CHECK_EQUAL(choose(), "qemu kvm");
  host.kvm = {false, "no /dev/kvm"};
  CAF_CHECK_EQUAL(choose(), "qemu tcg");
}

CAF_TEST(auto with tcg takes qemu) {
  config.accel = accel_kind::tcg;
  CAF_CHECK_EQUAL(choose(), "qemu tcg");
}

CAF_TEST(nothing usable is the fault of the host) {
  remove(vmm_kind::crosvm);
  remove(vmm_kind::qemu);
  CAF_CHECK_EQUAL(choose(), "host: vmm: not found; install qemu");
}

CAF_TEST(a stated vmm is never replaced) {
  config.vmm = vmm_kind::crosvm;
  remove(vmm_kind::crosvm);
  CAF_CHECK_EQUAL(choose(), "host: vmm: not found; install crosvm");
  config.vmm = vmm_kind::qemu;
  CAF_CHECK_EQUAL(choose(), "qemu kvm");
}

CAF_TEST(crosvm without kvm is refused) {
  config.vmm = vmm_kind::crosvm;
  host.kvm = {false, "no /dev/kvm"};
  CAF_CHECK_EQUAL(choose(), "host: vmm: crosvm needs KVM: no /dev/kvm");
}

CAF_TEST(crosvm with tcg contradicts itself) {
  config.vmm = vmm_kind::crosvm;
  config.accel = accel_kind::tcg;
  CAF_CHECK_EQUAL(choose(), "config: accel: crosvm has no tcg; use vmm \"qemu\" or accel \"kvm\"");
}

CAF_TEST(a stated accelerator is never replaced) {
  config.vmm = vmm_kind::qemu;
  config.accel = accel_kind::kvm;
  host.kvm = {false, "no /dev/kvm"};
  CAF_CHECK_EQUAL(choose(), "host: accel: no KVM: no /dev/kvm");
}

CAF_TEST(a protected vm is refused and never started unprotected) {
  config.protected_vm = true;
  CAF_CHECK_EQUAL(choose(), "config: protected: this host can't: no pKVM");
  config.vmm = vmm_kind::qemu;
  host.protected_vms = {true, ""};
  CAF_CHECK_EQUAL(choose(),
                  "config: protected: QEMU can't run protected VMs; never started unprotected");
  config.vmm = vmm_kind::automatic;
  CAF_CHECK_EQUAL(choose(), "crosvm kvm");
  remove(vmm_kind::crosvm);
  CAF_CHECK_EQUAL(choose(), "host: vmm: not found; install crosvm");
}

CAF_TEST(more memory than the host has is refused) {
  config.memory_mib = 1025;
  CAF_CHECK_EQUAL(choose(), "config: memory_mib: 1025 is more than the host's 1024");
}

CAF_TEST(a guest that has to speak is refused where it has no vsock) {
  config.guest_protocol = true;
  host.vhost_vsock = {false, "no device"};
  host.vsock_device = {false, "no program"};
  CAF_CHECK_EQUAL(choose(), "config: guest_protocol: guests have no vsock on this host: no device; "
                            "no program");
  host.vsock_device = {true, "/usr/libexec/crosvisor/crosvisor-vsock"};
  CAF_CHECK_EQUAL(choose(), "crosvm kvm");
  host.vsock_device.available = false;
  host.vhost_vsock.available = true;
  CAF_CHECK_EQUAL(choose(), "crosvm kvm");
}

CAF_TEST(disks of partitions need who opens them) {
  host.disk_server = {false, "no nbdkit in /usr/bin; install the package nbdkit"};
  config.disks.resize(1);
  config.disks[0].partitions = {{"boot", {"boot.img", 1}, image_format::raw, false, ""}};
  auto no_server = "host: disks: QEMU has no server for disks of partitions: no nbdkit in "
                   "/usr/bin; install the package nbdkit";
  CAF_CHECK_EQUAL(choose(), no_server);
  config.vmm = vmm_kind::crosvm;
  CAF_CHECK_EQUAL(choose(), "host: disks: /usr/bin/crosvm can't have disks of partitions; build "
                            "crosvm with the features composite-disk and android-sparse, or use "
                            "vmm \"qemu\"");
  host.vmms[0].features = {"composite-disk"};
  CAF_CHECK_EQUAL(choose(), "crosvm kvm");
  config.vmm = vmm_kind::qemu;
  CAF_CHECK_EQUAL(choose(), no_server);
  host.disk_server = {true, "/usr/lib/nbdkit/plugins/nbdkit-composite-plugin.so"};
  CAF_CHECK_EQUAL(choose(), "qemu kvm");
  // Where crosvm can't, QEMU does.
  config.vmm = vmm_kind::automatic;
  host.vmms[0].features.clear();
  CAF_CHECK_EQUAL(choose(), "qemu kvm");
}

CAF_TEST(an app has disks of partitions) {
  config.app.apk = {"app.apk", 1};
  config.vmm = vmm_kind::qemu;
  host.vhost_vsock.available = true;
  host.disk_server = {false, "no nbdkit"};
  CAF_CHECK_EQUAL(choose(), "host: disks: QEMU has no server for disks of partitions: no nbdkit");
}

CAF_TEST(kvm of a host that is a VM is nested and emulation is not ) {
  auto nested = [&] { return std::get<vmm_choice>(choose_vmm(config, host)).nested; };
  CAF_CHECK(!nested());
  host.nested = true;
  CAF_CHECK(nested());
  config.vmm = vmm_kind::qemu;
  CAF_CHECK(nested());
  config.accel = accel_kind::tcg;
  CAF_CHECK(!nested());
}

CAF_TEST(features are looked up by name) {
  host.vmms[0].features = {"extended-status"};
  CAF_CHECK(host.find(vmm_kind::crosvm)->has("extended-status"));
  CAF_CHECK(!host.find(vmm_kind::crosvm)->has("composite-disk"));
  CAF_CHECK(host.find(vmm_kind::automatic) == nullptr);
}

CAF_TEST(what crosvm has no fit option for is qemus) {
  config.devices.gdb_port = 2159;
  CAF_CHECK_EQUAL(choose(), "qemu kvm");
  config.vmm = vmm_kind::crosvm;
  CAF_CHECK_EQUAL(choose(),
                  "config: gdb: crosvm would open the port to all addresses; use vmm \"qemu\"");
  config.devices.gdb_port = 0;
  config.devices.shared_directories = {{"tag", {"dir", 1}, false}};
  CAF_CHECK(choose().starts_with("config: shared_directories: crosvm can't have them here"));
  config.vmm = vmm_kind::automatic;
  CAF_CHECK_EQUAL(choose(), "qemu kvm");
}

CAF_TEST_FIXTURE_SCOPE_END()
