// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/messages/vm_config.hpp"

#include <caf/test/dsl.hpp>

#undef CAF_SUITE
#define CAF_SUITE messages.vm_config

using namespace crosvisor;

namespace {

vm_config good() {
  vm_config config;
  config.kernel = {"vmlinux", 0};
  return config;
}

std::string problem_of(const vm_config& config) {
  return find_problem(config).value_or("none");
}

template <class Change>
std::string problem_with(Change change) {
  auto config = good();
  change(config);
  return problem_of(config);
}

} // namespace

CAF_TEST(a kernel is enough) {
  CAF_CHECK_EQUAL(problem_of(good()), "none");
}

CAF_TEST(a vm boots a kernel or a bootloader) {
  CAF_CHECK_EQUAL(problem_of(vm_config{}), "kernel: missing; a VM needs a kernel or a bootloader");
  CAF_CHECK_EQUAL(problem_with([](auto& c) {
                    c.bootloader = {"u-boot", 1};
                  }),
                  "kernel and bootloader: a VM has one or the other, not both");
  vm_config firmware;
  firmware.bootloader = {"u-boot", 0};
  CAF_CHECK_EQUAL(problem_of(firmware), "none");
  firmware.initrd = {"initrd", 1};
  CAF_CHECK_EQUAL(problem_of(firmware), "initrd: goes with a kernel, not with a bootloader");
  firmware.initrd = {};
  firmware.params = "quiet";
  CAF_CHECK_EQUAL(problem_of(firmware), "params: go with a kernel, not with a bootloader");
}

CAF_TEST(memory and cpus have bounds) {
  CAF_CHECK_EQUAL(problem_with([](auto& c) { c.memory_mib = 0; }),
                  "memory_mib: 0 is out of range; allowed is 16 to 4194304");
  CAF_CHECK_EQUAL(problem_with([](auto& c) { c.memory_mib = 4294967295u; }),
                  "memory_mib: 4294967295 is out of range; allowed is 16 to 4194304");
  CAF_CHECK_EQUAL(problem_with([](auto& c) { c.memory_mib = 16; }), "none");
  CAF_CHECK_EQUAL(problem_with([](auto& c) { c.cpus = 0; }),
                  "cpus: 0 is out of range; allowed is 1 to 64");
  CAF_CHECK_EQUAL(problem_with([](auto& c) { c.cpus = 65; }),
                  "cpus: 65 is out of range; allowed is 1 to 64");
}

CAF_TEST(parameters are short and printable) {
  CAF_CHECK_EQUAL(problem_with([](auto& c) { c.params = std::string(2u << 20, 'x'); }),
                  "params: 2097152 bytes; at most 1792 are allowed");
  CAF_CHECK_EQUAL(problem_with([](auto& c) { c.params = std::string(1792, 'x'); }), "none");
  CAF_CHECK_EQUAL(problem_with([](auto& c) { c.params = "a\nb"; }),
                  "params: hold a control character; only printable text is allowed");
  CAF_CHECK_EQUAL(problem_with([](auto& c) { c.params = std::string("a\0b", 3); }),
                  "params: hold a control character; only printable text is allowed");
}

CAF_TEST(a name looks like no cid and no path and no option) {
  for (const auto* name : {"demo", "build7", "a.b_c-d", "Z"})
    CAF_CHECK(valid_vm_name(name));
  for (const auto* name : {"", "2048", "-x", ".hidden", "a/b", "a b", "a,b", "\xc3\xa4"})
    CAF_CHECK(!valid_vm_name(name));
  CAF_CHECK(valid_vm_name(std::string(64, 'a')));
  CAF_CHECK(!valid_vm_name(std::string(65, 'a')));
  CAF_CHECK(problem_with([](auto& c) { c.name = "2048"; }).find("name: \"2048\"") == 0);
}

CAF_TEST(disks are few and have images) {
  CAF_CHECK_EQUAL(problem_with([](auto& c) {
                    c.disks.resize(25, {{"d", 0}, {}, false});
                  }),
                  "disks: 25 given; at most 24 are allowed");
  CAF_CHECK_EQUAL(problem_with([](auto& c) { c.disks.resize(1); }),
                  "disks[0]: has no image and no partitions");
}

CAF_TEST(words and kinds map both ways) {
  for (auto kind : {vmm_kind::automatic, vmm_kind::crosvm, vmm_kind::qemu})
    CAF_CHECK(parse_vmm_kind(to_string(kind)) == kind);
  for (auto kind : {accel_kind::automatic, accel_kind::kvm, accel_kind::tcg})
    CAF_CHECK(parse_accel_kind(to_string(kind)) == kind);
  for (auto format : {image_format::raw, image_format::qcow2})
    CAF_CHECK(parse_image_format(to_string(format)) == format);
  CAF_CHECK(!parse_vmm_kind("QEMU"));
  CAF_CHECK(!parse_accel_kind(""));
  CAF_CHECK(!parse_image_format("vmdk"));
}
