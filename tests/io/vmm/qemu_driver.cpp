// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/vmm/vmm_driver.hpp"

#include "crosvisor/tests/io/vmm/described_vm.hpp"

#include <caf/test/dsl.hpp>

#include <algorithm>

#undef CAF_SUITE
#define CAF_SUITE io.vmm.qemu_driver

using namespace crosvisor;
using namespace crosvisor::io;
using crosvisor::tests::described_devices_vm;
using crosvisor::tests::described_vm;

namespace {

using arguments = std::vector<std::string>;

vmm_info probed() {
  return {vmm_kind::qemu, "/usr/bin/qemu-system-x86_64", "QEMU", {true, {}}, {"kvm", "tcg"}};
}

child_command command(const vm_description& vm) {
  return make_qemu_driver(probed())->command(vm);
}

// Argument by argument, so that the first difference is what is shown.
void check_equal(const arguments& found, const arguments& wanted) {
  for (std::size_t i = 0; i < std::min(found.size(), wanted.size()); ++i)
    CAF_CHECK_EQUAL(found[i], wanted[i]);
  CAF_CHECK_EQUAL(found.size(), wanted.size());
}

// The value of each option of that name.
arguments values(const child_command& command, const std::string& option) {
  arguments found;
  for (std::size_t i = 0; i + 1 < command.argv.size(); ++i)
    if (command.argv[i] == option)
      found.push_back(command.argv[i + 1]);
  return found;
}

bool has(const arguments& all, const std::string& one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

} // namespace

CAF_TEST(the whole command line) {
  auto found = command(described_vm());
  CAF_CHECK_EQUAL(found.program, "/usr/bin/qemu-system-x86_64");
  CAF_CHECK(found.inherited == std::vector<int>({10, 11, 12, 13, 14, 15, 16, 17, 18}));
  CAF_CHECK_EQUAL(found.stdout_fd, -1);
  CAF_CHECK_EQUAL(found.stderr_fd, -1);
  check_equal(
    found.argv,
    {"/usr/bin/qemu-system-x86_64",
     "-name",
     "demo",
     "-machine",
     "q35,memory-backend=mem0",
     "-accel",
     "kvm",
     "-cpu",
     "host",
     "-smp",
     "2",
     "-m",
     "256M",
     "-object",
     "memory-backend-memfd,id=mem0,share=on,size=256M",
     "-nodefaults",
     "-no-user-config",
     "-display",
     "none",
     "-no-reboot",
     "-S",
     "-sandbox",
     "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
     "-chardev",
     "socket,id=qmp,fd=16",
     "-mon",
     "chardev=qmp,mode=control",
     "-add-fd",
     "fd=14,set=14",
     "-add-fd",
     "fd=15,set=15",
     "-add-fd",
     "fd=18,set=18",
     "-chardev",
     "file,id=ttyS0,path=/dev/fdset/14,append=on",
     "-serial",
     "chardev:ttyS0",
     "-device",
     "virtio-serial-pci,id=hvc,max_ports=4",
     "-chardev",
     "file,id=hvc0,path=/dev/fdset/14,append=on",
     "-device",
     "virtconsole,bus=hvc.0,chardev=hvc0,nr=0",
     "-chardev",
     "null,id=hvc1",
     "-device",
     "virtconsole,bus=hvc.0,chardev=hvc1,nr=1",
     "-chardev",
     "file,id=hvc2,path=/dev/fdset/15,append=on",
     "-device",
     "virtconsole,bus=hvc.0,chardev=hvc2,nr=2",
     "-chardev",
     "file,id=ttyS1,path=/dev/fdset/18,append=on",
     "-serial",
     "chardev:ttyS1",
     "-device",
     "virtio-balloon-pci",
     "-device",
     "virtio-rng-pci",
     "-device",
     "pvpanic-pci",
     "-device",
     "vhost-vsock-pci,guest-cid=2048,vhostfd=17",
     "-add-fd",
     "fd=12,set=12",
     "-blockdev",
     R"({"discard":"unmap","driver":"file","filename":"/dev/fdset/12","node-name":"file0",)"
     R"("read-only":true})",
     "-blockdev",
     R"({"discard":"unmap","driver":"raw","file":"file0","node-name":"disk0","read-only":true})",
     "-device",
     "virtio-blk-pci,drive=disk0,werror=report,rerror=report",
     "-add-fd",
     "fd=13,set=13",
     "-blockdev",
     R"({"discard":"unmap","driver":"file","filename":"/dev/fdset/13","node-name":"file1",)"
     R"("read-only":false})",
     "-blockdev",
     R"({"backing":null,"discard":"unmap","driver":"qcow2","file":"file1","node-name":"disk1",)"
     R"("read-only":false})",
     "-device",
     "virtio-blk-pci,drive=disk1,werror=report,rerror=report",
     "-kernel",
     "/proc/self/fd/10",
     "-initrd",
     "/proc/self/fd/11",
     "-append",
     "console=ttyS0 panic=-1 quiet"});
}

CAF_TEST(under tcg the processor and the parameters differ) {
  auto vm = described_vm();
  vm.accel = accel_kind::tcg;
  auto found = command(vm);
  CAF_CHECK(has(values(found, "-accel"), "tcg"));
  CAF_CHECK(has(values(found, "-cpu"), "qemu64,+popcnt,+sse4.1,+sse4.2,+ssse3"));
  CAF_CHECK(has(values(found, "-append"), "console=ttyS0 panic=-1 no_timer_check quiet"));
}

CAF_TEST(a bootloader stands for kernel and parameters) {
  auto vm = described_vm();
  vm.kernel = vm.initrd = -1;
  vm.bootloader = 9;
  vm.params.clear();
  auto found = command(vm);
  CAF_CHECK(has(values(found, "-bios"), "/proc/self/fd/9"));
  CAF_CHECK(values(found, "-kernel").empty());
  CAF_CHECK(values(found, "-append").empty());
  CAF_CHECK_EQUAL(found.inherited.front(), 9);
}

CAF_TEST(without a vsock and without files there is none) {
  vm_description vm;
  vm.kernel = 10;
  vm.control = 11;
  auto found = command(vm);
  CAF_CHECK(found.inherited == std::vector<int>({10, 11}));
  CAF_CHECK(values(found, "-add-fd").empty());
  CAF_CHECK(has(values(found, "-chardev"), "null,id=ttyS0"));
  for (const auto& device : values(found, "-device"))
    CAF_CHECK(device.find("vsock") == std::string::npos);
}

CAF_TEST(a vsock device is a connected descriptor without a way to reconnect) {
  auto vm = described_vm();
  vm.vsock = -1;
  vm.vsock_device = 19;
  auto found = command(vm);
  CAF_CHECK(has(values(found, "-chardev"), "socket,id=vsock,fd=19"));
  CAF_CHECK(has(values(found, "-device"), "vhost-user-vsock-pci,chardev=vsock"));
  CAF_CHECK_EQUAL(found.inherited.back(), 19);
}

CAF_TEST(a block device is named as such) {
  auto vm = described_vm();
  vm.disks = {{12, true, image_format::raw, true}};
  CAF_CHECK(values(command(vm), "-blockdev").front().find("\"driver\":\"host_device\"")
            != std::string::npos);
}

CAF_TEST(a composite disk is that of its server and nothing else of it is inherited) {
  auto vm = described_vm();
  vm.disks = {{12, false, image_format::raw, true}, {13, false, image_format::raw, false}};
  vm.disks[0].composite = vm.disks[1].composite = true;
  vm.disks[0].components = {30, 31};
  vm.disks[0].server = 20;
  vm.disks[1].server = 21;
  auto found = command(vm);
  CAF_CHECK(found.inherited == std::vector<int>({10, 11, 14, 15, 16, 17, 18, 20, 21}));
  auto nodes = values(found, "-blockdev");
  CAF_REQUIRE_EQUAL(nodes.size(), 2u);
  CAF_CHECK_EQUAL(nodes[0],
                  R"({"discard":"unmap","driver":"nbd","node-name":"disk0","read-only":false,)"
                  R"("server":{"str":"20","type":"fd"}})");
  CAF_CHECK_EQUAL(nodes[1],
                  R"({"discard":"unmap","driver":"nbd","node-name":"disk1","read-only":true,)"
                  R"("server":{"str":"21","type":"fd"}})");
  CAF_CHECK(
    has(values(found, "-device"), "virtio-blk-pci,drive=disk1,werror=report,rerror=report"));
  CAF_CHECK(!has(values(found, "-add-fd"), "fd=12,set=12"));
  CAF_CHECK(!make_qemu_driver(probed())->reads_composite_disks());
}

CAF_TEST(a descriptor that is used twice is inherited once) {
  auto vm = described_vm();
  vm.initrd = vm.kernel;
  auto found = command(vm);
  CAF_CHECK_EQUAL(std::count(found.inherited.begin(), found.inherited.end(), 10), 1);
}

CAF_TEST(what this QEMU was built without is refused) {
  auto vm = described_vm();
  CAF_CHECK(make_qemu_driver(probed())->check(vm));
  auto without = probed();
  without.features = {"tcg"};
  auto checked = make_qemu_driver(without)->check(vm);
  CAF_REQUIRE(!checked);
  CAF_CHECK_EQUAL(checked.why().what, "accel: /usr/bin/qemu-system-x86_64 was built without kvm; "
                                      "use accel \"tcg\"");
  vm.protected_vm = true;
  CAF_CHECK(!make_qemu_driver(probed())->check(vm));
}

CAF_TEST(every device is what it is described as) {
  auto found = command(described_devices_vm());
  CAF_CHECK(has(values(found, "-smp"), "4,sockets=1,cores=2,threads=2"));
  CAF_CHECK(
    has(values(found, "-object"), "memory-backend-memfd,id=mem0,share=on,hugetlb=on,size=256M"));
  CAF_CHECK(!has(values(found, "-device"), "virtio-rng-pci"));
  CAF_CHECK(has(values(found, "-chardev"), "socket,id=gdb,server=on,wait=off,fd=20"));
  CAF_CHECK(values(found, "-gdb") == arguments{"chardev:gdb"});
  CAF_CHECK(values(found, "-netdev") == arguments{"tap,id=net0,fd=21"});
  CAF_CHECK(
    has(values(found, "-device"), "virtio-net-pci,netdev=net0,romfile=,mac=52:54:00:00:08:00"));
  CAF_CHECK(has(values(found, "-object"),
                "memory-backend-file,id=pstore,share=on,mem-path=/proc/self/fd/22,size=65536"));
  CAF_CHECK(has(values(found, "-device"), "acpi-erst,memdev=pstore"));
  CAF_CHECK(values(found, "-action") == arguments{"panic=none"});
  CAF_CHECK(has(values(found, "-chardev"), "socket,id=share0,fd=23"));
  CAF_CHECK(has(values(found, "-device"), "vhost-user-fs-pci,chardev=share0,tag=home"));
  for (auto fd : {20, 21, 22, 23})
    CAF_CHECK_EQUAL(std::count(found.inherited.begin(), found.inherited.end(), fd), 1);
}

CAF_TEST(without a debugger and a network nothing listens and nothing is sent) {
  auto found = command(described_vm());
  CAF_CHECK(values(found, "-gdb").empty());
  CAF_CHECK(values(found, "-netdev").empty());
  CAF_CHECK(has(values(found, "-device"), "virtio-rng-pci"));
}

CAF_TEST(under tcg threads of a core are shown by a processor of another maker) {
  auto vm = described_devices_vm();
  vm.accel = accel_kind::tcg;
  CAF_CHECK(
    has(values(command(vm), "-cpu"), "qemu64,+popcnt,+sse4.1,+sse4.2,+ssse3,vendor=GenuineIntel"));
  vm.devices.topology = {2, 2, 1};
  CAF_CHECK(has(values(command(vm), "-cpu"), "qemu64,+popcnt,+sse4.1,+sse4.2,+ssse3"));
}
