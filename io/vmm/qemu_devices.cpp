// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/vmm/qemu_devices.hpp"

#include "crosvisor/io/vmm/descriptor_paths.hpp"

namespace crosvisor::io {

namespace {

arguments vsock(const vm_description& vm) {
  if (vm.vsock >= 0)
    return {"-device", "vhost-vsock-pci,guest-cid=" + std::to_string(vm.cid)
                         + ",vhostfd=" + std::to_string(vm.vsock)};
  // No `reconnect`: QEMU would not start.
  if (vm.vsock_device >= 0)
    return {"-chardev", "socket,id=vsock,fd=" + std::to_string(vm.vsock_device), "-device",
            "vhost-user-vsock-pci,chardev=vsock"};
  return {};
}

arguments debugger(const described_devices& devices) {
  if (devices.gdb < 0)
    return {};
  return {"-chardev", "socket,id=gdb,server=on,wait=off,fd=" + std::to_string(devices.gdb), "-gdb",
          "chardev:gdb"};
}

/// Without the ROM that would boot from the network: it is a file of its own, which need not be
/// installed.
arguments network(const described_devices& devices) {
  if (devices.tap < 0)
    return {};
  return {"-netdev", "tap,id=net0,fd=" + std::to_string(devices.tap), "-device",
          "virtio-net-pci,netdev=net0,romfile=,mac=" + devices.mac};
}

/// Linux keeps its records of a crash in ACPI's error store, where there is one, and after it has
/// told of its panic; so that must not be its end, which is the reset that it does then.
arguments pstore(const described_devices& devices) {
  if (devices.pstore < 0)
    return {};
  return {"-object",
          "memory-backend-file,id=pstore,share=on,mem-path=" + descriptor_path(devices.pstore)
            + ",size=" + std::to_string(devices.pstore_bytes),
          "-device",
          "acpi-erst,memdev=pstore",
          "-action",
          "panic=none"};
}

arguments shared_directories(const described_devices& devices) {
  arguments argv;
  for (std::size_t i = 0; i < devices.shares.size(); ++i) {
    const auto& share = devices.shares[i];
    auto name = "share" + std::to_string(i);
    append(argv, {"-chardev", "socket,id=" + name + ",fd=" + std::to_string(share.server),
                  "-device", "vhost-user-fs-pci,chardev=" + name + ",tag=" + share.tag});
  }
  return argv;
}

} // namespace

arguments qemu_devices(const vm_description& vm) {
  arguments argv{"-device", "virtio-balloon-pci"};
  if (vm.devices.rng)
    append(argv, {"-device", "virtio-rng-pci"});
  append(argv, {"-device", "pvpanic-pci"});
  append(argv, vsock(vm));
  append(argv, debugger(vm.devices));
  append(argv, network(vm.devices));
  append(argv, pstore(vm.devices));
  append(argv, shared_directories(vm.devices));
  return argv;
}

} // namespace crosvisor::io
