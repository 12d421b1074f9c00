// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/vmm/kernel_command_line.hpp"

#include <string_view>

namespace crosvisor::io {

namespace {

/// Whether a word of `params` starts with `start`.
bool has_word(std::string_view params, std::string_view start) {
  for (auto at = params.find(start); at != params.npos; at = params.find(start, at + 1))
    if (at == 0 || params[at - 1] == ' ')
      return true;
  return false;
}

} // namespace

std::string kernel_command_line(const vm_description& vm, vmm_kind vmm) {
  if (vm.kernel < 0)
    return {};
  std::string line;
  auto add = [&line](std::string_view word) {
    if (!line.empty())
      line += ' ';
    line += word;
  };
  if (!has_word(vm.params, "console="))
    add("console=ttyS0");
  if (vmm == vmm_kind::qemu && !has_word(vm.params, "panic="))
    add("panic=-1");
  if (vm.accel == accel_kind::tcg && !has_word(vm.params, "no_timer_check"))
    add("no_timer_check");
  if (!vm.params.empty())
    add(vm.params);
  return line;
}

} // namespace crosvisor::io
