// SPDX-License-Identifier: Apache-2.0
// A VM for the drivers' golden command lines.
#pragma once

#include "crosvisor/io/vmm/vm_description.hpp"

namespace crosvisor::tests {

/// Everything that a VM can have, each descriptor a number of its own.
inline io::vm_description described_vm() {
  io::vm_description vm;
  vm.cid = 2048;
  vm.name = "demo";
  vm.accel = accel_kind::kvm;
  vm.memory_mib = 256;
  vm.cpus = 2;
  vm.kernel = 10;
  vm.initrd = 11;
  vm.params = "quiet";
  vm.disks = {{12, false, image_format::raw, false}, {13, false, image_format::qcow2, true}};
  vm.console = 14;
  vm.log = 15;
  vm.control = 16;
  vm.control_path = "/run/vm/crosvm.sock";
  vm.vsock = 17;
  vm.failures = 18;
  return vm;
}

/// The same with every device that both VMMs take, a debugger's port and a shared directory.
inline io::vm_description described_devices_vm() {
  auto vm = described_vm();
  vm.cpus = 4;
  auto& devices = vm.devices;
  devices.topology = {1, 2, 2};
  devices.hugepages = true;
  devices.rng = false;
  devices.gdb = 20;
  devices.tap = 21;
  devices.mac = "52:54:00:00:08:00";
  devices.pstore = 22;
  devices.pstore_bytes = 65536;
  devices.shares = {{"home", 23}};
  return vm;
}

} // namespace crosvisor::tests
