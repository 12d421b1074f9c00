// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/vmm/arguments.hpp"
#include "crosvisor/io/vmm/control_socket.hpp"
#include "crosvisor/io/vmm/descriptor_paths.hpp"
#include "crosvisor/io/vmm/kernel_command_line.hpp"
#include "crosvisor/io/vmm/qemu_devices.hpp"
#include "crosvisor/io/vmm/qmp_channel.hpp"

#include <nlohmann/json.hpp>

namespace crosvisor::io {

namespace {

/// x86-64-v2, what today's distributions are built for, on QEMU's own AMD-like model: one of
/// Intel's would have Linux isolate its page tables, which is slow under TCG.
constexpr auto tcg_cpu = "qemu64,+popcnt,+sse4.1,+sse4.2,+ssse3";
/// TCG shows threads of a core to a guest that takes the model for one of Intel's alone.
constexpr auto threaded_tcg_cpu = "qemu64,+popcnt,+sse4.1,+sse4.2,+ssse3,vendor=GenuineIntel";

/// Where QEMU finds a descriptor that `-add-fd` has put into the set of its own number. Only
/// QEMU's own files (block devices, character devices) can be opened like this.
std::string fd_set(int fd) {
  return "/dev/fdset/" + std::to_string(fd);
}

arguments add_fd(int fd) {
  auto number = std::to_string(fd);
  return {"-add-fd", "fd=" + number + ",set=" + number};
}

std::string processor(const vm_description& vm) {
  if (vm.accel == accel_kind::kvm)
    return "host";
  return vm.devices.topology.threads > 1 ? threaded_tcg_cpu : tcg_cpu;
}

std::string processors(const vm_description& vm) {
  auto all = std::to_string(vm.cpus);
  const auto& topology = vm.devices.topology;
  if (!topology)
    return all;
  return all + ",sockets=" + std::to_string(topology.sockets) + ",cores="
         + std::to_string(topology.cores) + ",threads=" + std::to_string(topology.threads);
}

arguments machine(const vm_description& vm) {
  auto kvm = vm.accel == accel_kind::kvm;
  auto memory = std::to_string(vm.memory_mib) + 'M';
  return {"-name", vm.name, "-machine", "q35,memory-backend=mem0", "-accel", kvm ? "kvm" : "tcg",
          "-cpu", processor(vm), "-smp", processors(vm), "-m", memory,
          // Shared, so that a vhost-user device can reach the guest's memory.
          "-object",
          std::string{"memory-backend-memfd,id=mem0,share=on,"}
            + (vm.devices.hugepages ? "hugetlb=on," : "") + "size=" + memory,
          "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
          // Until the control channel works; see qmp_session.
          "-S", "-sandbox",
          "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"};
}

arguments control(const vm_description& vm) {
  return {"-chardev", "socket,id=qmp,fd=" + std::to_string(vm.control), "-mon",
          "chardev=qmp,mode=control"};
}

/// A character device that writes to `fd`, or nowhere. `append=on` keeps QEMU from truncating the
/// descriptor, which fails for a pipe.
arguments character_device(const std::string& id, int fd) {
  if (fd < 0)
    return {"-chardev", "null,id=" + id};
  return {"-chardev", "file,id=" + id + ",path=" + fd_set(fd) + ",append=on"};
}

/// ttyS0 and hvc0 to the console, ttyS1 to early failures, hvc1 nowhere, hvc2 to the log.
arguments consoles(const vm_description& vm) {
  arguments argv;
  for (auto fd : {vm.console, vm.log, vm.failures})
    if (fd >= 0)
      append(argv, add_fd(fd));
  append(argv, character_device("ttyS0", vm.console));
  append(argv, {"-serial", "chardev:ttyS0", "-device", "virtio-serial-pci,id=hvc,max_ports=4"});
  auto port = 0;
  for (auto fd : {vm.console, -1, vm.log}) {
    auto number = std::to_string(port++);
    append(argv, character_device("hvc" + number, fd));
    append(argv, {"-device", "virtconsole,bus=hvc.0,chardev=hvc" + number + ",nr=" + number});
  }
  append(argv, character_device("ttyS1", vm.failures));
  append(argv, {"-serial", "chardev:ttyS1"});
  return argv;
}

/// QEMU's options of a block device can't say null but in JSON.
nlohmann::json file_node(const described_disk& disk, const std::string& name) {
  return {{"driver", disk.block_device ? "host_device" : "file"},
          {"node-name", name},
          {"filename", fd_set(disk.fd)},
          {"read-only", !disk.writable},
          {"discard", "unmap"}};
}

nlohmann::json format_node(const described_disk& disk, const std::string& name,
                           const std::string& file) {
  nlohmann::json node{{"driver", to_string(disk.format)},
                      {"node-name", name},
                      {"file", file},
                      {"read-only", !disk.writable},
                      {"discard", "unmap"}};
  // Whatever the image says, no other file is opened for it.
  if (disk.format == image_format::qcow2)
    node["backing"] = nullptr;
  return node;
}

/// A composite disk, by its server. Without a way to reconnect: when the server is gone, requests
/// fail at once.
nlohmann::json server_node(const described_disk& disk, const std::string& name) {
  return {{"driver", "nbd"},
          {"node-name", name},
          {"server", {{"type", "fd"}, {"str", std::to_string(disk.server)}}},
          {"read-only", !disk.writable},
          {"discard", "unmap"}};
}

/// The guest is told of what goes wrong with the host's file, as crosvm does; QEMU's own way is to
/// stop the guest when the host's disk is full.
///
/// QEMU locks the file as long as it has it open, by the open file description: ours must be closed
/// once it runs, or the lock outlives the VM.
arguments disk_arguments(const described_disk& disk, std::size_t index) {
  auto name = "disk" + std::to_string(index);
  auto file = "file" + std::to_string(index);
  arguments argv;
  if (disk.server >= 0) {
    append(argv, {"-blockdev", server_node(disk, name).dump()});
  } else {
    append(argv, add_fd(disk.fd));
    append(argv, {"-blockdev", file_node(disk, file).dump(), "-blockdev",
                  format_node(disk, name, file).dump()});
  }
  append(argv, {"-device", "virtio-blk-pci,drive=" + name + ",werror=report,rerror=report"});
  return argv;
}

/// QEMU opens these by name, not by set; the name reaches the inherited descriptor's file.
arguments boot(const vm_description& vm) {
  if (vm.kernel < 0)
    return {"-bios", descriptor_path(vm.bootloader)};
  arguments argv{"-kernel", descriptor_path(vm.kernel)};
  if (vm.initrd >= 0)
    append(argv, {"-initrd", descriptor_path(vm.initrd)});
  append(argv, {"-append", kernel_command_line(vm, vmm_kind::qemu)});
  return argv;
}

class qemu_driver final : public vmm_driver {
public:
  qemu_driver(vmm_info qemu, control_timeouts timeouts)
      : qemu_(std::move(qemu)), timeouts_(timeouts) {}

  result<control_endpoint> make_endpoint(const runtime_dir&) const override {
    return make_connected_pair();
  }

  result<void> check(const vm_description& vm) const override {
    if (vm.protected_vm)
      return failure{0, "protected: QEMU can't run protected VMs"};
    auto other = vm.accel == accel_kind::kvm ? accel_kind::tcg : accel_kind::kvm;
    if (qemu_.has(to_string(other)) && !qemu_.has(to_string(vm.accel)))
      return failure{0, "accel: " + qemu_.path + " was built without " + to_string(vm.accel)
                          + "; use accel \"" + to_string(other) + "\""};
    return {};
  }

  bool takes_vsock_device() const override { return true; }

  bool reads_composite_disks() const override { return false; }

  reopened_files reopens() const override { return reopened_files::boot; }

  child_command command(const vm_description& vm) const override {
    arguments argv{qemu_.path};
    append(argv, machine(vm));
    append(argv, control(vm));
    append(argv, consoles(vm));
    append(argv, qemu_devices(vm));
    for (std::size_t i = 0; i < vm.disks.size(); ++i)
      append(argv, disk_arguments(vm.disks[i], i));
    append(argv, boot(vm));
    return {qemu_.path, std::move(argv), all_descriptors(vm), -1, -1};
  }

  std::shared_ptr<vmm_channel> connect(event_loop& loop, worker_pool&, control_endpoint endpoint,
                                       const vm_description& vm,
                                       channel_callbacks callbacks) const override {
    return make_qmp_channel(loop, std::move(endpoint.ours), std::uint64_t{vm.memory_mib} << 20,
                            std::move(callbacks), timeouts_);
  }

private:
  vmm_info qemu_;
  control_timeouts timeouts_;
};

} // namespace

std::unique_ptr<vmm_driver> make_qemu_driver(const vmm_info& qemu, control_timeouts timeouts) {
  return std::make_unique<qemu_driver>(qemu, timeouts);
}

} // namespace crosvisor::io
