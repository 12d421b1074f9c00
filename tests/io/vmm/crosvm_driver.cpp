// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/vmm/vmm_driver.hpp"

#include "crosvisor/tests/io/temp_dir.hpp"
#include "crosvisor/tests/io/vmm/described_vm.hpp"

#include <caf/test/dsl.hpp>

#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>

#undef CAF_SUITE
#define CAF_SUITE io.vmm.crosvm_driver

using namespace crosvisor;
using namespace crosvisor::io;
using namespace crosvisor::tests;

namespace {

using arguments = std::vector<std::string>;

const arguments todays{"extended-status", "composite-disk",   "qcow2",      "powerbtn",
                       "balloon",         "vsock-descriptor", "vhost-user", "name"};
const arguments of_2021{"legacy-command-line", "composite-disk", "qcow2", "balloon"};

std::unique_ptr<vmm_driver> driver(arguments features) {
  return make_crosvm_driver(
    {vmm_kind::crosvm, "/usr/bin/crosvm", "crosvm 0.1.0", {true, {}}, std::move(features)});
}

void check_equal(const arguments& found, const arguments& wanted) {
  for (std::size_t i = 0; i < std::min(found.size(), wanted.size()); ++i)
    CAF_CHECK_EQUAL(found[i], wanted[i]);
  CAF_CHECK_EQUAL(found.size(), wanted.size());
}

bool has(const arguments& all, const std::string& one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

/// The value that follows each option of that name.
arguments values(const arguments& all, const std::string& option) {
  arguments found;
  for (std::size_t i = 0; i + 1 < all.size(); ++i)
    if (all[i] == option)
      found.push_back(all[i + 1]);
  return found;
}

std::string refusal_of(const arguments& features, const vm_description& vm) {
  auto able = driver(features)->check(vm);
  return able ? "" : able.why().what;
}

struct root_fixture {
  temp_dir dir;
  std::shared_ptr<runtime_root> root = *runtime_root::open(dir / "run");
};

} // namespace

CAF_TEST(the whole command line of today) {
  auto found = driver(todays)->command(described_vm());
  CAF_CHECK_EQUAL(found.program, "/usr/bin/crosvm");
  CAF_CHECK(found.inherited == std::vector<int>({10, 11, 12, 13, 14, 15, 16, 17, 18}));
  check_equal(found.argv, {"/usr/bin/crosvm",
                           "--extended-status",
                           "--log-level",
                           "info",
                           "run",
                           "--name",
                           "demo",
                           "--disable-sandbox",
                           "--vsock",
                           "cid=2048,device=/proc/self/fd/17",
                           "--mem",
                           "256",
                           "--cpus",
                           "2",
                           "--no-usb",
                           "--serial",
                           "type=file,path=/proc/self/fd/14,hardware=serial,num=1",
                           "--serial",
                           "type=file,path=/proc/self/fd/18,hardware=serial,num=2",
                           "--serial",
                           "type=file,path=/proc/self/fd/14,hardware=virtio-console,num=1",
                           "--serial",
                           "type=sink,hardware=virtio-console,num=2",
                           "--serial",
                           "type=file,path=/proc/self/fd/15,hardware=virtio-console,num=3",
                           "--block",
                           "path=/proc/self/fd/12,ro=true",
                           "--block",
                           "path=/proc/self/fd/13,ro=false",
                           "--initrd",
                           "/proc/self/fd/11",
                           "--params=console=ttyS0 quiet",
                           "--socket",
                           "/proc/self/fd/16",
                           "/proc/self/fd/10"});
}

CAF_TEST(the whole command line of 2021) {
  auto vm = described_vm();
  vm.control = -1;
  auto found = driver(of_2021)->command(vm);
  check_equal(found.argv, {"/usr/bin/crosvm",
                           "run",
                           "--disable-sandbox",
                           "--mem",
                           "256",
                           "--cpus",
                           "2",
                           "--serial",
                           "type=file,path=/proc/self/fd/14,hardware=serial,num=1",
                           "--serial",
                           "type=file,path=/proc/self/fd/18,hardware=serial,num=2",
                           "--serial",
                           "type=file,path=/proc/self/fd/14,hardware=virtio-console,num=1",
                           "--serial",
                           "type=sink,hardware=virtio-console,num=2",
                           "--serial",
                           "type=file,path=/proc/self/fd/15,hardware=virtio-console,num=3",
                           "--disk",
                           "/proc/self/fd/12",
                           "--rwdisk",
                           "/proc/self/fd/13",
                           "--initrd",
                           "/proc/self/fd/11",
                           "--params=console=ttyS0 quiet",
                           "--socket",
                           "/run/vm/crosvm.sock",
                           "/proc/self/fd/10"});
}

CAF_TEST(between the two eras each binary gets what it has) {
  auto features = of_2021;
  features.push_back("extended-status");
  features.push_back("vsock-descriptor");
  auto found = driver(features)->command(described_vm()).argv;
  CAF_CHECK_EQUAL(found[1], "--extended-status");
  CAF_CHECK(has(found, "--vhost-vsock-fd"));
  CAF_CHECK(has(found, "--cid"));
  auto without_name = todays;
  without_name.pop_back();
  CAF_CHECK(!has(driver(without_name)->command(described_vm()).argv, "--name"));
}

CAF_TEST(a bootloader stands for kernel and parameters) {
  auto vm = described_vm();
  vm.kernel = vm.initrd = -1;
  vm.bootloader = 9;
  auto found = driver(todays)->command(vm).argv;
  CAF_CHECK(has(found, "--bios"));
  CAF_CHECK(has(found, "/proc/self/fd/9"));
  CAF_CHECK_EQUAL(found.back(), "/proc/self/fd/16");
}

CAF_TEST(a protected VM is asked for and a VM without vsock has none) {
  auto vm = described_vm();
  vm.protected_vm = true;
  vm.vsock = -1;
  auto found = driver(todays)->command(vm).argv;
  CAF_CHECK(has(found, "--protected-vm"));
  CAF_CHECK(!has(found, "--vsock"));
}

CAF_TEST(a vsock device is taken with small rings where the binary knows of such) {
  auto vm = described_vm();
  vm.vsock = -1;
  vm.vsock_device = 19;
  auto found = driver(todays)->command(vm);
  CAF_CHECK(has(found.argv, "type=vsock,socket=/proc/self/fd/19,max-queue-size=256"));
  CAF_CHECK_EQUAL(found.inherited.back(), 19);
  CAF_CHECK(driver(todays)->takes_vsock_device());
  CAF_CHECK(!driver(of_2021)->takes_vsock_device());
}

CAF_TEST(a binary without qcow2 would read one as raw and is not given any) {
  CAF_CHECK(driver(todays)->check(described_vm()));
  auto checked = driver({"composite-disk"})->check(described_vm());
  CAF_REQUIRE(!checked);
  CAF_CHECK(checked.why().what.find("disks[1]") == 0);
  auto vm = described_vm();
  vm.accel = accel_kind::tcg;
  CAF_CHECK(!driver(todays)->check(vm));
}

CAF_TEST(a composite disk is given with all that it names) {
  auto vm = described_vm();
  vm.disks = {{12, false, image_format::raw, true}, {13, false, image_format::raw, false}};
  for (auto& disk : vm.disks)
    disk.composite = true;
  vm.disks[0].components = {30, 31};
  vm.disks[1].components = {19, 31};
  auto found = driver(todays)->command(vm);
  CAF_CHECK(found.inherited == std::vector<int>({10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 30, 31}));
  CAF_CHECK(has(found.argv, "path=/proc/self/fd/12,ro=false"));
  CAF_CHECK(has(found.argv, "path=/proc/self/fd/13,ro=true"));
  auto old = driver(of_2021)->command(vm);
  CAF_CHECK(std::count(old.inherited.begin(), old.inherited.end(), 31) == 1);
  CAF_CHECK(has(old.argv, "--rwdisk"));
  CAF_CHECK(driver(todays)->reads_composite_disks());
}

CAF_TEST(a binary without composite disks is not given any) {
  auto vm = described_vm();
  vm.disks = {{12, false, image_format::raw, false}};
  CAF_CHECK(driver({"qcow2"})->check(vm));
  vm.disks[0].composite = true;
  CAF_CHECK(driver(todays)->check(vm));
  auto checked = driver({"qcow2"})->check(vm);
  CAF_REQUIRE(!checked);
  CAF_CHECK_EQUAL(checked.why().what,
                  "disks[0]: /usr/bin/crosvm was built without composite-disk and can't have disks "
                  "of partitions; build it with the features composite-disk and android-sparse, or "
                  "use vmm \"qemu\"");
}

CAF_TEST_FIXTURE_SCOPE(endpoints, root_fixture)

CAF_TEST(the control socket listens in the runtime directory) {
  auto vm_dir = root->make("2048");
  CAF_REQUIRE(vm_dir);
  auto endpoint = driver(todays)->make_endpoint(**vm_dir);
  CAF_REQUIRE(endpoint);
  CAF_CHECK_EQUAL(endpoint->path, (*vm_dir)->path() + "/crosvm.sock");
  struct stat about {};
  CAF_REQUIRE_EQUAL(::stat(endpoint->path.c_str(), &about), 0);
  CAF_CHECK(S_ISSOCK(about.st_mode));
  int listens = 0;
  socklen_t size = sizeof listens;
  ::getsockopt(endpoint->vmm.get(), SOL_SOCKET, SO_ACCEPTCONN, &listens, &size);
  CAF_CHECK_EQUAL(listens, 1);
}

CAF_TEST(the crosvm of 2021 makes its socket itself) {
  auto vm_dir = root->make("2048");
  CAF_REQUIRE(vm_dir);
  auto endpoint = driver(of_2021)->make_endpoint(**vm_dir);
  CAF_REQUIRE(endpoint);
  CAF_CHECK(!endpoint->vmm);
  CAF_CHECK_EQUAL(names_in((*vm_dir)->path()), "");
}

CAF_TEST(a path that is too long for a socket is an error that says so) {
  auto deep = runtime_root::open(dir / std::string(90, 'x'));
  CAF_REQUIRE(deep);
  auto vm_dir = (*deep)->make("2048");
  CAF_REQUIRE(vm_dir);
  auto endpoint = driver(todays)->make_endpoint(**vm_dir);
  CAF_REQUIRE(!endpoint);
  CAF_CHECK_EQUAL(endpoint.why().code, ENAMETOOLONG);
  CAF_CHECK(endpoint.why().what.find("at most 107 are allowed") != std::string::npos);
}

CAF_TEST_FIXTURE_SCOPE_END()

CAF_TEST(every device that crosvm has is what it is described as) {
  auto vm = described_devices_vm();
  CAF_CHECK_EQUAL(refusal_of(todays, vm), "");
  auto found = driver(todays)->command(vm).argv;
  CAF_CHECK(has(found, "--hugepages"));
  CAF_CHECK(has(found, "--no-rng"));
  CAF_CHECK(values(found, "--net") == arguments{"tap-fd=21,mac=52:54:00:00:08:00"});
  CAF_CHECK(values(found, "--pstore") == arguments{"path=/proc/self/fd/22,size=65536"});
  CAF_CHECK(!has(found, "--gdb"));
}

CAF_TEST(crosvm has one socket whose cores have one thread or two) {
  auto vm = described_vm();
  vm.cpus = 4;
  auto with = [&](cpu_topology topology) {
    vm.devices.topology = topology;
    auto why = refusal_of(todays, vm);
    auto flag = has(driver(todays)->command(vm).argv, "--no-smt");
    return why.empty() ? flag ? "no smt" : "as it is" : why;
  };
  CAF_CHECK_EQUAL(with({}), "as it is");
  CAF_CHECK_EQUAL(with({1, 2, 2}), "as it is");
  CAF_CHECK_EQUAL(with({1, 4, 1}), "no smt");
  CAF_CHECK_EQUAL(with({2, 2, 1}),
                  "cpu_topology: crosvm can't have 2 sockets with cores of 1 threads; it has one "
                  "socket with cores of 1 or 2 threads. Use vmm \"qemu\"");
  CAF_CHECK(with({1, 1, 4}).find("cores of 4 threads") != std::string::npos);
}

CAF_TEST(what the crosvm of 2021 lacks is refused by name) {
  auto vm = described_vm();
  vm.devices.rng = false;
  CAF_CHECK(refusal_of(of_2021, vm).starts_with("rng: crosvm of 2021 can't be without"));
  vm.devices.rng = true;
  vm.devices.tap = 21;
  CAF_CHECK(refusal_of(of_2021, vm).starts_with("network: a crosvm before 2023-02 can't"));
  vm.devices.tap = -1;
  vm.devices.pstore = 22;
  vm.devices.pstore_bytes = 65536;
  CAF_CHECK_EQUAL(refusal_of(of_2021, vm), "");
  CAF_CHECK(values(driver(of_2021)->command(vm).argv, "--pstore")
            == arguments{"path=/proc/self/fd/22,size=65536"});
}
