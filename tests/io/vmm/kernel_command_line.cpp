// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/vmm/kernel_command_line.hpp"

#include <caf/test/dsl.hpp>

#undef CAF_SUITE
#define CAF_SUITE io.vmm.kernel_command_line

using namespace crosvisor;
using namespace crosvisor::io;

namespace {

std::string line(const std::string& params, vmm_kind vmm, accel_kind accel) {
  vm_description vm;
  vm.kernel = 7;
  vm.params = params;
  vm.accel = accel;
  return kernel_command_line(vm, vmm);
}

} // namespace

CAF_TEST(what a VMM needs stands before what the owner asks for) {
  CAF_CHECK_EQUAL(line("quiet", vmm_kind::crosvm, accel_kind::kvm), "console=ttyS0 quiet");
  CAF_CHECK_EQUAL(line("quiet", vmm_kind::qemu, accel_kind::kvm), "console=ttyS0 panic=-1 quiet");
  CAF_CHECK_EQUAL(line("quiet", vmm_kind::qemu, accel_kind::tcg),
                  "console=ttyS0 panic=-1 no_timer_check quiet");
  CAF_CHECK_EQUAL(line("", vmm_kind::crosvm, accel_kind::kvm), "console=ttyS0");
}

CAF_TEST(what the owner says is not said twice) {
  CAF_CHECK_EQUAL(line("console=hvc0", vmm_kind::crosvm, accel_kind::kvm), "console=hvc0");
  CAF_CHECK_EQUAL(line("a console=hvc0 panic=5 no_timer_check", vmm_kind::qemu, accel_kind::tcg),
                  "a console=hvc0 panic=5 no_timer_check");
}

CAF_TEST(a word within another one does not count) {
  CAF_CHECK_EQUAL(line("fbconsole=1 kpanic=2", vmm_kind::qemu, accel_kind::kvm),
                  "console=ttyS0 panic=-1 fbconsole=1 kpanic=2");
}

CAF_TEST(a bootloader has no command line) {
  vm_description vm;
  vm.bootloader = 7;
  vm.params = "ignored";
  CAF_CHECK_EQUAL(kernel_command_line(vm, vmm_kind::qemu), "");
}
