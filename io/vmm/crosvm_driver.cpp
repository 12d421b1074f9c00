// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/vmm/arguments.hpp"
#include "crosvisor/io/vmm/control_socket.hpp"
#include "crosvisor/io/vmm/crosvm_channel.hpp"
#include "crosvisor/io/vmm/crosvm_features.hpp"
#include "crosvisor/io/vmm/descriptor_paths.hpp"
#include "crosvisor/io/vmm/kernel_command_line.hpp"

namespace crosvisor::io {

namespace {

constexpr auto socket_name = "crosvm.sock";

// -- what both command lines have -----------------------------------------------------------------

arguments global_options(const vmm_info& crosvm) {
  arguments argv;
  if (crosvm.has(crosvm_feature::extended_status))
    argv.push_back("--extended-status");
  // 2021's has no options before its command.
  if (!crosvm.has(crosvm_feature::legacy_command_line))
    append(argv, {"--log-level", "info"});
  return argv;
}

/// crosvm puts all CPUs into one socket: pairs of threads where they are an even number and more
/// than one, else, or with --no-smt, cores of one thread (x86_64/src/cpuid.rs).
bool pairs_threads(const vm_description& vm) {
  return vm.cpus > 1 && vm.devices.topology.threads == 2;
}

result<void> check_topology(const vm_description& vm) {
  const auto& topology = vm.devices.topology;
  if (!topology || (topology.sockets == 1 && (topology.threads == 1 || topology.threads == 2)))
    return {};
  return failure{0, "cpu_topology: crosvm can't have " + std::to_string(topology.sockets)
                      + " sockets with cores of " + std::to_string(topology.threads)
                      + " threads; it has one socket with cores of 1 or 2 threads. Use vmm "
                        "\"qemu\""};
}

arguments size_options(const vm_description& vm) {
  arguments argv{"--mem", std::to_string(vm.memory_mib), "--cpus", std::to_string(vm.cpus)};
  if (vm.protected_vm)
    argv.push_back("--protected-vm");
  if (vm.devices.topology && !pairs_threads(vm))
    argv.push_back("--no-smt");
  if (vm.devices.hugepages)
    argv.push_back("--hugepages");
  if (vm.devices.pstore >= 0)
    append(argv, {"--pstore", "path=" + descriptor_path(vm.devices.pstore)
                                + ",size=" + std::to_string(vm.devices.pstore_bytes)});
  return argv;
}

arguments serial_option(const std::string& hardware, int num, int fd) {
  auto where = fd < 0 ? "type=sink" : "type=file,path=" + descriptor_path(fd);
  return {"--serial", where + ",hardware=" + hardware + ",num=" + std::to_string(num)};
}

/// ttyS0 and hvc0 to the console, ttyS1 to early failures, hvc1 nowhere, hvc2 to the log. None is
/// marked `console`: the kernel's command line is ours alone.
arguments serial_options(const vm_description& vm) {
  arguments argv;
  append(argv, serial_option("serial", 1, vm.console));
  append(argv, serial_option("serial", 2, vm.failures));
  append(argv, serial_option("virtio-console", 1, vm.console));
  append(argv, serial_option("virtio-console", 2, -1));
  append(argv, serial_option("virtio-console", 3, vm.log));
  return argv;
}

/// The firmware; or initrd and parameters, the kernel itself being the last argument of all.
///
/// The parameters are one argument with their option, since crosvm takes apart an argument of its
/// own that starts with `-` and has a `=` (src/main.rs, prepare_argh_args).
arguments boot_options(const vm_description& vm) {
  if (vm.kernel < 0)
    return {"--bios", descriptor_path(vm.bootloader)};
  arguments argv;
  if (vm.initrd >= 0)
    append(argv, {"--initrd", descriptor_path(vm.initrd)});
  argv.push_back("--params=" + kernel_command_line(vm, vmm_kind::crosvm));
  return argv;
}

arguments kernel_argument(const vm_description& vm) {
  return vm.kernel < 0 ? arguments{} : arguments{descriptor_path(vm.kernel)};
}

// -- today's --------------------------------------------------------------------------------------

/// crosvm locks every image by flock(2), shared or, where it is writable, exclusively
/// (disk/src/sys/linux.rs), which is what keeps two VMs from writing one image; so the lock stays
/// on. It belongs to the open file description, which is the inherited descriptor's: whoever
/// started crosvm must close its own once it runs, or the lock outlives the VM.
arguments todays_disks(const vm_description& vm) {
  arguments argv;
  for (const auto& disk : vm.disks)
    append(argv, {"--block",
                  "path=" + descriptor_path(disk.fd) + (disk.writable ? ",ro=false" : ",ro=true")});
  return argv;
}

/// The options of google/crosvm at f1e797a68dad (2026-08), as far back as 2023-02.
arguments todays_options(const vmm_info& crosvm, const vm_description& vm) {
  arguments argv;
  if (crosvm.has(crosvm_feature::name))
    append(argv, {"--name", vm.name});
  argv.push_back("--disable-sandbox");
  // The device is taken as it is, with the CID that it already has.
  if (vm.vsock >= 0)
    append(argv,
           {"--vsock", "cid=" + std::to_string(vm.cid) + ",device=" + descriptor_path(vm.vsock)});
  // Without a size, crosvm offers rings of 32,768 entries, which Linux fills with 128 MiB.
  if (vm.vsock_device >= 0)
    append(argv, {"--vhost-user",
                  "type=vsock,socket=" + descriptor_path(vm.vsock_device) + ",max-queue-size=256"});
  append(argv, size_options(vm));
  argv.push_back("--no-usb");
  if (!vm.devices.rng)
    argv.push_back("--no-rng");
  if (vm.devices.tap >= 0)
    append(argv, {"--net", "tap-fd=" + std::to_string(vm.devices.tap) + ",mac=" + vm.devices.mac});
  append(argv, serial_options(vm));
  append(argv, todays_disks(vm));
  append(argv, boot_options(vm));
  append(argv, {"--socket", descriptor_path(vm.control)});
  return argv;
}

// -- 2021's ---------------------------------------------------------------------------------------

/// crosvm of 2021-08 opens /dev/vhost-vsock itself, and no CID that is claimed can be claimed
/// again: with such a one the VM has no vsock.
arguments legacy_vsock(const vmm_info& crosvm, const vm_description& vm) {
  if (vm.vsock < 0 || !crosvm.has(crosvm_feature::vsock_descriptor))
    return {};
  return {"--cid", std::to_string(vm.cid), "--vhost-vsock-fd", std::to_string(vm.vsock)};
}

/// The options of google/crosvm at a0320d286dce (2021-08), up to 2023-02. It makes its control
/// socket itself, and refuses a path that is there.
arguments legacy_options(const vmm_info& crosvm, const vm_description& vm) {
  arguments argv{"--disable-sandbox"};
  append(argv, legacy_vsock(crosvm, vm));
  append(argv, size_options(vm));
  append(argv, serial_options(vm));
  for (const auto& disk : vm.disks)
    append(argv, {disk.writable ? "--rwdisk" : "--disk", descriptor_path(disk.fd)});
  append(argv, boot_options(vm));
  append(argv, {"--socket", vm.control_path});
  return argv;
}

class crosvm_driver final : public vmm_driver {
public:
  crosvm_driver(vmm_info crosvm, control_timeouts timeouts)
      : crosvm_(std::move(crosvm)), timeouts_(timeouts) {}

  result<control_endpoint> make_endpoint(const runtime_dir& dir) const override {
    return is_legacy() ? make_path(dir, socket_name) : make_listener(dir, socket_name);
  }

  result<void> check(const vm_description& vm) const override {
    if (vm.accel != accel_kind::kvm)
      return failure{0, "accel: crosvm has no tcg; use vmm \"qemu\" or accel \"kvm\""};
    if (auto able = check_devices(vm); !able)
      return able;
    for (std::size_t i = 0; i < vm.disks.size(); ++i)
      if (auto able = check_disk(vm.disks[i], "disks[" + std::to_string(i) + "]: "); !able)
        return able;
    return {};
  }

  bool takes_vsock_device() const override { return crosvm_.has(crosvm_feature::vhost_user); }

  bool reads_composite_disks() const override { return true; }

  /// 2021's creates the files of its serial ports anew.
  reopened_files reopens() const override {
    return is_legacy() ? reopened_files::all : reopened_files::none;
  }

  child_command command(const vm_description& vm) const override {
    arguments argv{crosvm_.path};
    append(argv, global_options(crosvm_));
    argv.push_back("run");
    append(argv, is_legacy() ? legacy_options(crosvm_, vm) : todays_options(crosvm_, vm));
    append(argv, kernel_argument(vm));
    return {crosvm_.path, std::move(argv), all_descriptors(vm), -1, -1};
  }

  std::shared_ptr<vmm_channel> connect(event_loop& loop, worker_pool& workers,
                                       control_endpoint endpoint, const vm_description& vm,
                                       channel_callbacks callbacks) const override {
    return make_crosvm_channel(loop, workers, crosvm_, std::move(endpoint.path),
                               std::uint64_t{vm.memory_mib} << 20, std::move(callbacks), timeouts_);
  }

private:
  /// Sparse images can't be asked for: no option or command tells of them. They are built in and
  /// left out with composite disks in every set of features that crosvm names (Cargo.toml, all-…).
  result<void> check_disk(const described_disk& disk, const std::string& which) const {
    if (disk.format == image_format::qcow2 && !crosvm_.has(crosvm_feature::qcow2))
      return failure{0, which + crosvm_.path
                          + " was built without qcow2 and would take it for raw; use a raw "
                            "image, or vmm \"qemu\""};
    if (disk.composite && !crosvm_.has(crosvm_feature::composite_disk))
      return failure{0, which + crosvm_.path
                          + " was built without composite-disk and can't have disks of "
                            "partitions; build it with the features composite-disk and "
                            "android-sparse, or use vmm \"qemu\""};
    return {};
  }

  /// What no crosvm can is refused before; see choose_vmm().
  result<void> check_devices(const vm_description& vm) const {
    if (auto able = check_topology(vm); !able)
      return able;
    if (!is_legacy())
      return {};
    if (!vm.devices.rng)
      return failure{0, "rng: crosvm of 2021 can't be without; use vmm \"qemu\""};
    if (vm.devices.tap >= 0)
      return failure{0, "network: a crosvm before 2023-02 can't have it here; use vmm \"qemu\""};
    return {};
  }

  bool is_legacy() const { return crosvm_.has(crosvm_feature::legacy_command_line); }

  vmm_info crosvm_;
  control_timeouts timeouts_;
};

} // namespace

std::unique_ptr<vmm_driver> make_crosvm_driver(const vmm_info& crosvm, control_timeouts timeouts) {
  return std::make_unique<crosvm_driver>(crosvm, timeouts);
}

} // namespace crosvisor::io
