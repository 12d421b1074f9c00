// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/host/host_probe.hpp"

#include "crosvisor/tests/io/leftovers.hpp"
#include "crosvisor/tests/io/temp_dir.hpp"

#include <caf/test/dsl.hpp>

#undef CAF_SUITE
#define CAF_SUITE io.host.host_probe

using namespace crosvisor;
using namespace crosvisor::io;
using namespace crosvisor::tests;
using namespace std::chrono_literals;

namespace {

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != text.npos;
}

struct fixture {
  holdings before;
  temp_dir dir;
  host_probe_options options;

  fixture() {
    options.crosvm = STAND_IN_CROSVM;
    options.qemu = STAND_IN_QEMU;
    options.kvm_device = dir / "kvm";
    options.vsock_device = dir / "vhost-vsock";
    options.timeout = 10s;
  }

  ~fixture() { CAF_CHECK_EQUAL(to_string(holdings{}), to_string(before)); }

  std::string script(const std::string& name, const std::string& body) {
    return dir.write(name, "#!/bin/sh\n" + body, 0755);
  }

  vmm_info probe_crosvm_at(const std::string& path) {
    options.crosvm = path;
    return probe_host(options).vmms.at(0);
  }

  std::string link(const std::string& name) {
    std::filesystem::create_symlink(STAND_IN_CROSVM, dir / name);
    return dir / name;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(host_probe_tests, fixture)

CAF_TEST(both VMMs are found and asked) {
  auto host = probe_host(options);
  CAF_REQUIRE_EQUAL(host.vmms.size(), 2u);
  auto* crosvm = host.find(vmm_kind::crosvm);
  CAF_REQUIRE(crosvm != nullptr);
  CAF_CHECK(crosvm->usable.available);
  CAF_CHECK_EQUAL(crosvm->version, "crosvm 0.1.0-stand-in");
  for (const auto* feature : {"extended-status", "composite-disk", "powerbtn", "name"})
    CAF_CHECK(crosvm->has(feature));
  CAF_CHECK(!crosvm->has("legacy-command-line"));
  auto* qemu = host.find(vmm_kind::qemu);
  CAF_REQUIRE(qemu != nullptr);
  CAF_CHECK(qemu->usable.available);
  CAF_CHECK(qemu->has("tcg"));
  CAF_CHECK(host.memory_mib > 0);
  CAF_CHECK(host.cpus > 0);
}

CAF_TEST(a crosvm of 2021 and one without composite disks are known as such) {
  auto old = probe_crosvm_at(link("crosvm-2021"));
  CAF_CHECK(old.usable.available);
  CAF_CHECK(old.has("legacy-command-line"));
  CAF_CHECK(!old.has("extended-status"));
  CAF_CHECK(!old.has("powerbtn"));
  CAF_CHECK(old.has("composite-disk"));
  auto plain = probe_crosvm_at(link("crosvm-plain"));
  CAF_CHECK(plain.usable.available);
  CAF_CHECK(!plain.has("composite-disk"));
}

CAF_TEST(devices that are not there say what to do) {
  auto host = probe_host(options);
  CAF_CHECK(!host.kvm.available);
  CAF_CHECK(has(host.kvm.detail, "load kvm_intel or kvm_amd"));
  CAF_CHECK(!host.vhost_vsock.available);
  CAF_CHECK(has(host.vhost_vsock.detail, "load vhost_vsock"));
  CAF_CHECK(!host.protected_vms.available);
}

CAF_TEST(the server of composite disks needs nbdkit and the plugin) {
  options.program_dirs = {dir.path()};
  options.disk_plugin = dir.write("plugin.so", "");
  auto host = probe_host(options);
  CAF_CHECK(!host.disk_server.available);
  CAF_CHECK_EQUAL(host.disk_server.detail,
                  "no nbdkit in " + dir.path() + "; install the package nbdkit");
  script("nbdkit", "");
  host = probe_host(options);
  CAF_CHECK(host.disk_server.available);
  CAF_CHECK_EQUAL(host.disk_server.detail, dir / "plugin.so");
  options.disk_plugin = dir / "nowhere.so";
  CAF_CHECK(has(probe_host(options).disk_server.detail, "No such file"));
  // Without a path it is not beside this program.
  options.disk_plugin = "";
  host = probe_host(options);
  CAF_CHECK(!host.disk_server.available);
  CAF_CHECK(has(host.disk_server.detail, "no nbdkit-composite-plugin.so in "));
}

CAF_TEST(a file that is no KVM is none) {
  options.kvm_device = dir.write("kvm", "");
  auto host = probe_host(options);
  CAF_CHECK(!host.kvm.available);
  CAF_CHECK(has(host.kvm.detail, "KVM does not work"));
  options.vsock_device = dir.write("vhost-vsock", "");
  CAF_CHECK(probe_host(options).vhost_vsock.available);
  options.cpuinfo = dir.write("cpuinfo", "processor\t: 0\nflags\t\t: fpu vme hypervisor lahf_lm\n");
  CAF_CHECK(probe_host(options).nested);
  options.cpuinfo = dir.write("cpuinfo", "model name\t: hypervisor\nflags\t\t: fpu hypervisor_x\n");
  CAF_CHECK(!probe_host(options).nested);
}

CAF_TEST(each program that is none has its sentence and hurts nobody else) {
  auto why = [this](const std::string& path) {
    auto vmm = probe_crosvm_at(path);
    CAF_CHECK(!vmm.usable.available);
    return vmm.usable.detail;
  };
  CAF_CHECK(has(why(dir / "nowhere"), "No such file"));
  CAF_CHECK(has(why(dir.path()), "is a directory"));
  CAF_CHECK(has(why(dir.write("plain", "")), "is not executable"));
  CAF_CHECK(has(why(dir.write("binary",
                              "\x7f"
                              "ELF",
                              0755)),
                "can't be run"));
  CAF_CHECK(has(why(script("fails", "echo broken >&2; exit 3")), "exit code 3: broken"));
  CAF_CHECK(has(why(script("garbage", "echo hello")), "printed \"hello\""));
  CAF_CHECK(has(why(script("flood", "exec yes")), "prints without end"));
  options.timeout = 200ms;
  CAF_CHECK(has(why(script("hangs", "exec sleep 1000")), "hangs"));
}

CAF_TEST(a program that was asked once is not asked again) {
  std::filesystem::create_directory(dir / "cache");
  options.cache_dir = dir / "cache";
  auto count = dir / "count";
  auto body = "echo x >>" + count + "; exec " STAND_IN_CROSVM " \"$@\"";
  options.crosvm = script("counted", body);
  auto first = probe_host(options).vmms.at(0);
  auto asked = read_file(count).size();
  CAF_CHECK_EQUAL(asked, 6u); // Three questions, two bytes each.
  auto second = probe_host(options).vmms.at(0);
  CAF_CHECK_EQUAL(read_file(count).size(), asked);
  CAF_CHECK_EQUAL(second.version, first.version);
  CAF_CHECK(second.features == first.features);
  script("counted", body + "\n#\n");
  probe_host(options);
  CAF_CHECK_EQUAL(read_file(count).size(), 2 * asked);
}

CAF_TEST(a cache that can not be kept costs a probe and no more) {
  options.cache_dir = dir / "nowhere";
  CAF_CHECK(probe_host(options).vmms.at(0).usable.available);
}

CAF_TEST(programs are looked for where they may be) {
  options.crosvm.clear();
  options.qemu.clear();
  options.program_dirs = {dir / "bin"};
  auto host = probe_host(options);
  CAF_CHECK(has(host.vmms.at(0).usable.detail, "no crosvm in " + (dir / "bin")));
  CAF_CHECK(has(host.vmms.at(1).usable.detail, "install the package qemu-system-x86"));
  std::filesystem::create_directory(dir / "bin");
  link("bin/crosvm");
  auto crosvm = probe_host(options).vmms.at(0);
  CAF_CHECK(crosvm.usable.available);
  CAF_CHECK_EQUAL(crosvm.path, dir / "bin/crosvm");
}

CAF_TEST_FIXTURE_SCOPE_END()
