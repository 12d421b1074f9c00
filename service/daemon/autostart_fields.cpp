// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/daemon/autostart_fields.hpp"

#include "crosvisor/service/daemon/daemon_fields.hpp"

namespace crosvisor {

namespace {

using io::check;
using io::config_field;
using io::config_problem;
using value_ref = const io::json_value&;
using path_ref = const std::string&;

constexpr config_field<autostart_vm> autostart_fields[] = {
  {"config",
   [](value_ref v, path_ref p, autostart_vm& vm) { return io::read_path(v, p, vm.config); }},
  {"name",
   [](value_ref v, path_ref p, autostart_vm& vm) -> check {
     if (auto problem = io::read_text(v, p, vm.name))
       return problem;
     if (valid_vm_name(vm.name))
       return std::nullopt;
     return io::unexpected_value(v, p,
                                 "a VM's name: letters, digits, \".\", \"_\" and \"-\", a "
                                 "letter first, at most 64 bytes");
   }},
  {"owner",
   [](value_ref v, path_ref p, autostart_vm& vm) { return read_user(v, p, vm.owner_uid); }},
  {"restart",
   [](value_ref v, path_ref p, autostart_vm& vm) {
     return io::read_word(v, p, R"("never", "on_failure" or "always")", parse_restart_policy,
                          vm.restart.emplace());
   }},
};

} // namespace

check read_autostart(value_ref value, path_ref path, std::vector<autostart_vm>& target) {
  if (value.kind != io::json_kind::array)
    return io::unexpected_value(value, path, "an array");
  if (value.items.size() > max_autostart_vms)
    return config_problem{value.offset, path + ": " + std::to_string(value.items.size())
                                          + " VMs; at most " + std::to_string(max_autostart_vms)
                                          + " are allowed"};
  for (std::size_t i = 0; i < value.items.size(); ++i) {
    auto item_path = path + '[' + std::to_string(i) + ']';
    auto& vm = target.emplace_back();
    if (auto problem = io::read_object(value.items[i], item_path, autostart_fields, vm))
      return problem;
    if (vm.config.empty())
      return config_problem{value.items[i].offset, item_path + ": \"config\" is missing"};
  }
  return std::nullopt;
}

} // namespace crosvisor
