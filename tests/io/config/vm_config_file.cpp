// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/config/vm_config_file.hpp"

#include <caf/test/dsl.hpp>

#include <thread>

#undef CAF_SUITE
#define CAF_SUITE io.config.vm_config_file

using namespace crosvisor;
using namespace crosvisor::io;
using namespace std::literals;

namespace {

std::string problem(std::string_view text) {
  auto config = parse_vm_config(text, "f.json");
  return config ? "" : config.why().what;
}

/// The problem of a configuration that has a kernel and, from column 17 on, `members`.
std::string problem_with(const std::string& members) {
  return problem("{\"kernel\": \"k\", " + members + "}");
}

vm_config parse(std::string_view text) {
  auto config = parse_vm_config(text, "f.json");
  if (!config)
    CAF_FAIL(config.why().what);
  return *config;
}

} // namespace

CAF_TEST(a restart policy is one of three words) {
  CAF_CHECK(parse(R"({"kernel": "k"})").restart == restart_policy::never);
  CAF_CHECK(parse(R"({"kernel": "k", "restart": "never"})").restart == restart_policy::never);
  CAF_CHECK(parse(R"({"kernel": "k", "restart": "on_failure"})").restart
            == restart_policy::on_failure);
  CAF_CHECK(parse(R"({"kernel": "k", "restart": "always"})").restart == restart_policy::always);
  for (const auto* word : {"\"no\"", "true", "1", "\"\""})
    CAF_CHECK(problem_with("\"restart\": "s + word).find("restart: ") != std::string::npos);
  CAF_CHECK(
    problem_with("\"restart\": \"on-failure\"").find("\"never\", \"on_failure\" or \"always\"")
    != std::string::npos);
}

CAF_TEST(every key of ours is read) {
  auto config = parse(R"({"name": "demo", "kernel": "vmlinux", "initrd": "initrd.img",
    "params": "quiet panic=-1", "memory_mib": 128, "cpus": 2, "vmm": "qemu", "accel": "tcg",
    "protected": true,
    "disks": [{"image": "a.img", "writable": false},
              {"image": "/b.qcow2", "writable": true, "format": "qcow2"}]})");
  CAF_CHECK_EQUAL(config.name, "demo");
  CAF_CHECK_EQUAL(config.kernel.path, "vmlinux");
  CAF_CHECK_EQUAL(config.initrd.path, "initrd.img");
  CAF_CHECK_EQUAL(config.bootloader.path, "");
  CAF_CHECK_EQUAL(config.params, "quiet panic=-1");
  CAF_CHECK_EQUAL(config.memory_mib, 128u);
  CAF_CHECK_EQUAL(config.cpus, 2u);
  CAF_CHECK(config.vmm == vmm_kind::qemu);
  CAF_CHECK(config.accel == accel_kind::tcg);
  CAF_CHECK_EQUAL(config.protected_vm, true);
  CAF_REQUIRE_EQUAL(config.disks.size(), 2u);
  CAF_CHECK_EQUAL(config.disks[0].image.path, "a.img");
  CAF_CHECK(config.disks[0].format == image_format::raw);
  CAF_CHECK_EQUAL(config.disks[0].writable, false);
  CAF_CHECK_EQUAL(config.disks[1].image.path, "/b.qcow2");
  CAF_CHECK(config.disks[1].format == image_format::qcow2);
  CAF_CHECK_EQUAL(config.disks[1].writable, true);
}

CAF_TEST(what is left out has its default) {
  auto config = parse(R"({"bootloader": "u-boot.bin"})");
  CAF_CHECK_EQUAL(config.bootloader.path, "u-boot.bin");
  CAF_CHECK_EQUAL(config.name, "");
  CAF_CHECK_EQUAL(config.memory_mib, 256u);
  CAF_CHECK_EQUAL(config.cpus, 1u);
  CAF_CHECK(config.vmm == vmm_kind::automatic);
  CAF_CHECK(config.accel == accel_kind::automatic);
  CAF_CHECK_EQUAL(config.protected_vm, false);
  CAF_CHECK(config.disks.empty());
}

CAF_TEST(a configuration as Android writes it today is read) {
  auto config = parse(R"({
    "name": "debian", "kernel": "vmlinuz", "initrd": "initrd.img", "params": "root=/dev/vda1",
    "disks": [{"image": "root.img", "partitions": [], "writable": true}],
    "protected": false, "cpu_topology": "match_host", "platform_version": "~1.0",
    "memory_mib": 4096, "devices": [], "usb_config": {"controller": false},
    "console_input_device": "ttyS0"})");
  auto expected = std::min(std::max(1u, std::thread::hardware_concurrency()), max_cpus);
  CAF_CHECK_EQUAL(config.cpus, expected);
  CAF_CHECK_EQUAL(config.disks[0].writable, true);
}

CAF_TEST(an unknown key is named with the nearest known one) {
  CAF_CHECK_EQUAL(problem("{\n  \"kernel\": \"k\",\n  \"params\": \"\",\n  \"memory_mb\": 128\n}"),
                  "f.json:4:3: unknown key \"memory_mb\"; did you mean \"memory_mib\"?");
  CAF_CHECK_EQUAL(problem_with(R"("mystery": true)"), "f.json:1:17: unknown key \"mystery\"");
  CAF_CHECK_EQUAL(problem_with(R"("disks": [{"imgae": "x"}])"),
                  "f.json:1:28: unknown key \"imgae\"; did you mean \"image\"?");
  CAF_CHECK_EQUAL(problem_with(R"("usb_config": {"control": true})"),
                  "f.json:1:32: unknown key \"control\"");
  CAF_CHECK_EQUAL(problem_with("\"\\u001b[2J\": 1"), "f.json:1:17: unknown key \"\\x1b[2J\"");
}

CAF_TEST(a value of the wrong type says what it has) {
  CAF_CHECK_EQUAL(problem_with(R"("memory_mib": "x")"),
                  "f.json:1:31: memory_mib: expected a whole number, got \"x\"");
  CAF_CHECK_EQUAL(problem_with(R"("memory_mib": 1.5)"),
                  "f.json:1:31: memory_mib: expected a whole number, got 1.5");
  CAF_CHECK_EQUAL(problem_with(R"("cpus": null)"),
                  "f.json:1:25: cpus: expected a whole number, got null");
  CAF_CHECK_EQUAL(problem_with(R"("params": ["quiet"])"),
                  "f.json:1:27: params: expected text, got an array");
  CAF_CHECK_EQUAL(problem_with(R"("protected": 1)"),
                  "f.json:1:30: protected: expected true or false, got 1");
  CAF_CHECK_EQUAL(problem_with(R"("vmm": "xen")"),
                  "f.json:1:24: vmm: expected \"auto\", \"crosvm\" or \"qemu\", got \"xen\"");
  CAF_CHECK_EQUAL(problem_with(R"("accel": true)"),
                  "f.json:1:26: accel: expected \"auto\", \"kvm\" or \"tcg\", got true");
  CAF_CHECK_EQUAL(problem_with(R"("disks": {})"),
                  "f.json:1:26: disks: expected an array, got an object");
  CAF_CHECK_EQUAL(problem_with(R"("disks": ["a.img"])"),
                  "f.json:1:27: disks[0]: expected an object, got \"a.img\"");
  CAF_CHECK_EQUAL(problem("[]"), "f.json:1:1: configuration: expected an object, got an array");
  CAF_CHECK_EQUAL(problem("{\"kernel\": \"\"}"),
                  "f.json:1:12: kernel: expected the path of a file, got \"\"");
  CAF_CHECK_EQUAL(problem("{\"kernel\": 7}"),
                  "f.json:1:12: kernel: expected the path of a file, got 7");
}

CAF_TEST(numbers out of range are refused) {
  for (auto number : {"0", "15", "4194305", "-1", "4294967424", "18446744073709551744",
                      "100000000000000000000000"})
    CAF_CHECK_EQUAL(problem_with("\"memory_mib\": "s + number),
                    "f.json:1:31: memory_mib: "s + number
                      + " is out of range; allowed is 16 to 4194304");
  CAF_CHECK_EQUAL(problem_with(R"("memory_mib": 16)"), "");
  CAF_CHECK_EQUAL(problem_with(R"("memory_mib": 4194304)"), "");
  CAF_CHECK_EQUAL(problem_with(R"("cpus": 65)"),
                  "f.json:1:25: cpus: 65 is out of range; allowed is 1 to 64");
  CAF_CHECK_EQUAL(problem_with(R"("cpus": 0)"),
                  "f.json:1:25: cpus: 0 is out of range; allowed is 1 to 64");
}

CAF_TEST(kernel and bootloader exclude each other and one is needed) {
  CAF_CHECK_EQUAL(problem("{}"),
                  "f.json:1:1: kernel: missing; a VM needs a kernel or a bootloader");
  CAF_CHECK_EQUAL(problem_with(R"("bootloader": "b")"),
                  "f.json:1:2: kernel and bootloader: a VM has one or the other, not both");
  CAF_CHECK_EQUAL(problem(R"({"bootloader": "b", "initrd": "i"})"),
                  "f.json:1:21: initrd: goes with a kernel, not with a bootloader");
}

CAF_TEST(two MiB of parameters are too many) {
  auto text = "{\"kernel\": \"k\", \"params\": \"" + std::string(2u << 20, 'x') + "\"}";
  CAF_CHECK_EQUAL(problem(text), "f.json:1:1: larger than 1 MiB");
  CAF_CHECK_EQUAL(problem_with("\"params\": \"" + std::string(1793, 'x') + '"'),
                  "f.json:1:17: params: 1793 bytes; at most 1792 are allowed");
  CAF_CHECK_EQUAL(problem_with("\"params\": \"" + std::string(1792, 'x') + '"'), "");
  CAF_CHECK_EQUAL(problem_with(R"("params": "a\nb")"),
                  "f.json:1:17: params: hold a control character; only printable text is allowed");
}

CAF_TEST(a disk needs an image and says whether it is writable) {
  auto disk = [](const std::string& members) {
    return problem_with("\"disks\": [{" + members + "}]");
  };
  CAF_CHECK_EQUAL(disk(R"("image": "a")"),
                  "f.json:1:27: disks[0].writable: missing; say true or false");
  CAF_CHECK_EQUAL(disk(R"("writable": true)"),
                  "f.json:1:27: disks[0].image: missing; a disk needs an image or partitions");
  CAF_CHECK_EQUAL(disk(R"("writable": true, "partitions": [])"),
                  "f.json:1:27: disks[0].image: missing; a disk needs an image or partitions");
  CAF_CHECK_EQUAL(
    disk(R"("writable": true, "image": "a", "partitions": [{"label": "l", "path": "p"}])"),
    "f.json:1:27: disks[0]: image and partitions: a disk has one or the other, not both");
  CAF_CHECK_EQUAL(disk(R"("image": "a", "writable": true, "format": "vmdk")"),
                  "f.json:1:70: disks[0].format: expected \"raw\" or \"qcow2\", got \"vmdk\"");
}

CAF_TEST(a disk of partitions is read) {
  auto config = parse(R"({"kernel": "k", "disks": [
    {"writable": true, "partitions": [
      {"label": "boot", "path": "boot.img"},
      {"label": "super", "path": "/srv/super.img", "format": "sparse"},
      {"label": "data", "path": "data.img", "writable": true, "format": "raw",
       "guid": "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"}]},
    {"image": "root.img", "writable": false}]})");
  CAF_REQUIRE_EQUAL(config.disks.size(), 2u);
  CAF_CHECK(!config.disks[0].image);
  auto& partitions = config.disks[0].partitions;
  CAF_REQUIRE_EQUAL(partitions.size(), 3u);
  CAF_CHECK_EQUAL(partitions[0].label, "boot");
  CAF_CHECK_EQUAL(partitions[0].image.path, "boot.img");
  CAF_CHECK(partitions[0].format == image_format::raw);
  CAF_CHECK(!partitions[0].writable);
  CAF_CHECK_EQUAL(partitions[0].guid, "");
  CAF_CHECK(partitions[1].format == image_format::sparse);
  CAF_CHECK(partitions[2].writable);
  CAF_CHECK_EQUAL(partitions[2].guid, "C12A7328-F81F-11D2-BA4B-00A0C93EC93B");
  CAF_CHECK(config.disks[1].partitions.empty());
}

CAF_TEST(each fault of a partition is found where it stands) {
  auto partition = [](const std::string& members, const std::string& writable = "true") {
    auto text = problem_with("\"disks\": [{\"writable\": " + writable + ", \"partitions\": [{"
                             + members + "}]}]");
    auto key = text.find("disks[0]");
    return key == std::string::npos ? text : text.substr(key);
  };
  CAF_CHECK_EQUAL(partition(R"("path": "p")"),
                  "disks[0].partitions[0].label: missing; a partition needs a label");
  CAF_CHECK_EQUAL(partition(R"("label": "l")"),
                  "disks[0].partitions[0].path: missing; a partition needs an image");
  CAF_CHECK_EQUAL(partition(R"("label": "l", "image": "p")"), "f.json:1:76: unknown key \"image\"");
  CAF_CHECK_EQUAL(partition(R"("label": "0123456789012345678901234567890123456", "path": "p")"),
                  "disks[0].partitions[0].label: is 37 UTF-16 units long; at most 36 are allowed");
  CAF_CHECK_EQUAL(partition(R"("label": "a\nb", "path": "p")"),
                  "disks[0].partitions[0].label: is not printable UTF-8 text");
  CAF_CHECK_EQUAL(partition(R"("label": "l", "path": "p", "format": "qcow2")"),
                  "disks[0].partitions[0].format: expected \"raw\" or \"sparse\", got \"qcow2\"");
  CAF_CHECK_EQUAL(partition(R"("label": "l", "path": "p", "writable": 1)"),
                  "disks[0].partitions[0].writable: expected true or false, got 1");
  CAF_CHECK_EQUAL(partition(R"("label": "l", "path": "p", "guid": "C12A7328")"),
                  "disks[0].partitions[0].guid: expected a GUID such as "
                  "\"C12A7328-F81F-11D2-BA4B-00A0C93EC93B\", got \"C12A7328\"");
  CAF_CHECK_EQUAL(partition(R"("label": "l", "path": "p", "writable": true)", "false"),
                  "disks[0].partitions[0].writable: its disk is not writable");
  CAF_CHECK_EQUAL(partition(R"("label": "l", "path": "p", "writable": true, "format": "sparse")"),
                  "disks[0].partitions[0]: a sparse image can't be written; make it raw, or the "
                  "partition read-only");
  CAF_CHECK_EQUAL(partition(R"("label": "l", "path": "p"}, {"label": "l", "path": "q")"),
                  "disks[0].partitions[1].label: \"l\" is partitions[0]'s, too");
}

CAF_TEST(partitions go with a disk that has nothing else) {
  const std::string one = R"("partitions": [{"label": "l", "path": "p"}])";
  auto disk = [](const std::string& members) {
    return problem_with("\"disks\": [{" + members + "}]");
  };
  CAF_CHECK_EQUAL(disk(one), "f.json:1:27: disks[0].writable: missing; say true or false");
  CAF_CHECK_EQUAL(disk(one + R"(, "writable": false, "format": "raw")"),
                  "f.json:1:27: disks[0].format: goes with an image; partitions have formats of "
                  "their own");
  CAF_CHECK_EQUAL(disk(R"("writable": false, "partitions": {})"),
                  "f.json:1:61: disks[0].partitions: expected an array, got an object");
  CAF_CHECK_EQUAL(disk(R"("writable": false, "partitions": [3])"),
                  "f.json:1:62: disks[0].partitions[0]: expected an object, got 3");
}

CAF_TEST(too many disks are refused) {
  std::string disks = R"({"image": "a", "writable": false})";
  for (int i = 1; i < 25; ++i)
    disks += R"(, {"image": "a", "writable": false})";
  CAF_CHECK_EQUAL(problem_with("\"disks\": [" + disks + "]"),
                  "f.json:1:17: disks: 25 given; at most 24 are allowed");
}

CAF_TEST(known keys that can not be had are refused by name) {
  CAF_CHECK_EQUAL(problem_with(R"("platform_version": "~2.0")"),
                  "f.json:1:37: platform_version: requires \"~2.0\"; the platform is 1.0.0");
  CAF_CHECK_EQUAL(
    problem_with(R"("platform_version": "new")"),
    "f.json:1:37: platform_version: expected a version requirement such as \"~1.0\", got \"new\"");
  CAF_CHECK_EQUAL(problem_with(R"("devices": ["/sys/bus/platform/devices/x"])"),
                  "f.json:1:28: devices: passing host devices to a VM is not supported");
  CAF_CHECK_EQUAL(problem_with(R"("usb_config": {"controller": true})"),
                  "f.json:1:46: usb_config.controller: USB is not supported");
  CAF_CHECK_EQUAL(
    problem_with(R"("console_input_device": "hvc1")"),
    "f.json:1:41: console_input_device: expected \"hvc0\" or \"ttyS0\", got \"hvc1\"");
  CAF_CHECK_EQUAL(
    problem_with(R"("cpu_topology": "all")"),
    "f.json:1:33: cpu_topology: expected \"one_cpu\", \"match_host\" or an object, got \"all\"");
  CAF_CHECK_EQUAL(problem_with(R"("cpus": 2, "cpu_topology": "one_cpu")"),
                  "f.json:1:28: cpu_topology and cpus: give one or the other, not both");
  CAF_CHECK_EQUAL(problem_with(R"("num_cpus": 2)"),
                  "f.json:1:29: num_cpus: not supported; use \"cpus\"");
  CAF_CHECK_EQUAL(problem_with(R"("cpu_affinity": "0")"),
                  "f.json:1:33: cpu_affinity: pinning virtual CPUs is not supported");
}

CAF_TEST(every key of devices is read) {
  auto config = parse(R"({"kernel": "k", "cpu_topology": {"sockets": 2, "cores": 2},
    "hugepages": true, "gdb": 2159, "network": {"tap": "tap0", "mac": "52:54:00:12:34:56"},
    "shared_directories": [{"tag": "home", "path": "/home", "writable": false}], "rng": false,
    "pstore": "p", "crash_files": 0, "crash_file_kib": 16384})");
  const auto& devices = config.devices;
  CAF_CHECK_EQUAL(config.cpus, 4u);
  CAF_CHECK_EQUAL(devices.topology.sockets, 2u);
  CAF_CHECK_EQUAL(devices.topology.cores, 2u);
  CAF_CHECK_EQUAL(devices.topology.threads, 1u);
  CAF_CHECK(devices.hugepages);
  CAF_CHECK_EQUAL(devices.gdb_port, 2159u);
  CAF_CHECK_EQUAL(devices.network.tap.path, "tap0");
  CAF_CHECK_EQUAL(devices.network.mac, "52:54:00:12:34:56");
  CAF_REQUIRE_EQUAL(devices.shared_directories.size(), 1u);
  CAF_CHECK_EQUAL(devices.shared_directories[0].tag, "home");
  CAF_CHECK_EQUAL(devices.shared_directories[0].directory.path, "/home");
  CAF_CHECK(!devices.shared_directories[0].writable);
  CAF_CHECK(!devices.rng);
  CAF_CHECK_EQUAL(devices.pstore.path, "p");
  CAF_CHECK_EQUAL(devices.crash_files, 0u);
  CAF_CHECK_EQUAL(devices.crash_file_kib, 16384u);
}

CAF_TEST(without keys of devices there is what a guest can be given without harm) {
  const auto devices = parse(R"({"kernel": "k"})").devices;
  CAF_CHECK(!devices.topology);
  CAF_CHECK(!devices.hugepages);
  CAF_CHECK_EQUAL(devices.gdb_port, 0u);
  CAF_CHECK(!devices.network);
  CAF_CHECK(devices.shared_directories.empty());
  CAF_CHECK(devices.rng);
  CAF_CHECK(!devices.pstore);
  CAF_CHECK_EQUAL(devices.crash_files, 16u);
  CAF_CHECK_EQUAL(devices.crash_file_kib, 1024u);
  CAF_CHECK(!need_custom(devices));
}

CAF_TEST(each fault of a device is found where it stands) {
  for (auto [members, wanted] : {
         std::pair{R"("cpus": 3, "cpu_topology": {"cores": 2, "threads": 2})",
                   "f.json:1:28: cpu_topology: 1 socket of 2 cores of 2 threads make 4 CPUs, and "
                   "cpus is 3"},
         {R"("cpu_topology": {"cores": 0})",
          "f.json:1:43: cpu_topology.cores: 0 is out of range; allowed is 1 to 64"},
         {R"("cpu_topology": {"dies": 1})", "f.json:1:34: unknown key \"dies\""},
         {R"("cpu_topology": {"cores": 64, "threads": 2})",
          "f.json:1:33: cpu_topology: makes 128 CPUs; at most 64 are allowed"},
         {R"("gdb": 80)", "f.json:1:24: gdb: 80 is out of range; allowed is 1024 to 65535"},
         {R"("protected": true, "gdb": 2159)",
          "f.json:1:36: gdb: nobody looks into a protected VM"},
         {R"("network": {})",
          "f.json:1:28: network.tap: missing; a network card needs a tap interface"},
         {R"("network": {"tap": "a/b"})",
          "f.json:1:36: network.tap: expected the name of a tap interface, got \"a/b\""},
         {R"("network": {"tap": "tap%d"})",
          "f.json:1:36: network.tap: expected the name of a tap interface, got \"tap%d\""},
         {R"("network": {"tap": "t", "mac": "01:00:5e:00:00:01"})",
          "f.json:1:48: network.mac: expected an address of one card such as "
          "\"52:54:00:12:34:56\", got \"01:00:5e:00:00:01\""},
         {R"("shared_directories": [{"tag": "a", "path": "p"}])",
          "f.json:1:40: shared_directories[0].writable: missing; say true or false"},
         {R"("shared_directories": [{"tag": "a,b", "path": "p", "writable": true}])",
          "f.json:1:17: shared_directories[0].tag: is no tag; allowed are letters, digits, '.', "
          "'_' and '-', at most 36"},
         {R"("crash_files": 65)",
          "f.json:1:32: crash_files: 65 is out of range; allowed is 0 to 64"},
         {R"("crash_file_kib": 0)",
          "f.json:1:35: crash_file_kib: 0 is out of range; allowed is 1 to 16384"},
       })
    CAF_CHECK_EQUAL(problem_with(members), wanted);
}

CAF_TEST(a bad name is refused where it stands) {
  CAF_CHECK_EQUAL(
    problem_with(R"("name": "7up")"),
    "f.json:1:17: name: \"7up\" is not a name; allowed are letters, digits, '.', '_' and "
    "'-', a letter first, at most 64");
}

CAF_TEST(files that are none are refused) {
  auto why = [](const char* path) {
    auto config = load_vm_config(path);
    return config ? "" : config.why().what;
  };
  CAF_CHECK_EQUAL(why("/nonexistent.json"), "/nonexistent.json: no such file");
  CAF_CHECK_EQUAL(why("/"), "/: is a directory; a configuration is a JSON file");
  CAF_CHECK_EQUAL(why("/dev/zero"),
                  "/dev/zero: is not a regular file; a configuration is a JSON file");
}
