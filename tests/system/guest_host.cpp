// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/tests/system/guest_host.hpp"

#include "crosvisor/messages/register_types.hpp"
#include "crosvisor/service/service.hpp"

#include <caf/scoped_actor.hpp>
#include <caf/test/dsl.hpp>

#include <sys/stat.h>

#include <filesystem>

namespace crosvisor::tests {

guest_host::guest_host(io::log_bounds logs, const io::confinement_options& confinement) {
  register_types(config_);
  start(logs, confinement);
}

/// A copy that users of VMs can reach, wherever this was built.
std::string guest_host::within_reach(const std::string& file) const {
  std::filesystem::permissions(scratch_.path(), static_cast<std::filesystem::perms>(0711));
  auto copy = scratch_ / std::filesystem::path{file}.filename().string();
  std::filesystem::copy_file(file, copy);
  std::filesystem::permissions(copy, static_cast<std::filesystem::perms>(0755));
  return copy;
}

void guest_host::start(io::log_bounds logs, const io::confinement_options& confinement) {
  io::linux_backend_options options;
  options.runtime_root = scratch_ / "run";
  options.state_dir = scratch_ / "state";
  options.logs = logs;
  options.raise_descriptor_limit = false;
  options.vsock_device_path = CROSVISOR_VSOCK_PROGRAM;
  options.disk_plugin_path = CROSVISOR_DISK_PLUGIN;
  if (confinement.users) {
    options.vsock_device_path = within_reach(CROSVISOR_VSOCK_PROGRAM);
    options.disk_plugin_path = within_reach(CROSVISOR_DISK_PLUGIN);
  }
  options.confinement = confinement;
  auto made = io::make_linux_backend(options);
  if (!made)
    CAF_FAIL(made.why().what);
  backend_ = std::move(*made);
  if (auto* qemu = backend_.host.find(vmm_kind::qemu); qemu == nullptr || !qemu->usable.available)
    CAF_FAIL("guests can't run: " << (qemu ? qemu->usable.detail : "there is no QEMU")
                                  << "; `./dev setup run` installs it");
  system_ = std::make_unique<caf::actor_system>(config_);
  service_ = spawn_service(*system_, backend_, {});
}

guest_host::~guest_host() {
  if (!system_)
    return;
  drain();
  CAF_CHECK_EQUAL(list().size(), 0u);
  CAF_CHECK_EQUAL(names_in(scratch_ / "run"), ".lock");
  CAF_CHECK(child_pids() == before_.children);
  caf::anon_send_exit(service_, caf::exit_reason::user_shutdown);
  service_ = nullptr;
  system_ = nullptr;
  backend_ = {};
  // What the standard library keeps open is not ours to close; what comes on top of it is.
  if (holdings after; !(after == before_))
    CAF_ERROR("before: " << to_string(before_) << "\nafter: " << to_string(after));
}

void guest_host::drain() {
  caf::scoped_actor self{*system_};
  self->request(service_, step_bound, drain_atom::value, caf::timespan::zero())
    .receive([](caf::ok_atom) {},
             [](const caf::error& why) { CAF_ERROR("the drain failed: " << sentence_of(why)); });
}

std::vector<vm_info> guest_host::list() {
  std::vector<vm_info> vms;
  caf::scoped_actor self{*system_};
  self->request(service_, step_bound, list_atom::value)
    .receive([&](std::vector<vm_info>& all) { vms = std::move(all); },
             [](const caf::error& why) { CAF_ERROR("no list: " << sentence_of(why)); });
  return vms;
}

std::string guest_host::log_folder(const vm_info& vm) const {
  return scratch_ / "state/logs/" + std::to_string(vm.cid) + '-' + vm.name;
}

std::string guest_host::kept_log(const vm_info& vm, const std::string& log) const {
  auto dot = log.find('.');
  auto name = dot == log.npos ? log + ".log" : log.substr(0, dot) + ".log" + log.substr(dot);
  return read_file(log_folder(vm) + '/' + name);
}

std::string guest_file(const std::string& name) {
  return std::string{CROSVISOR_GUEST_DIR} + '/' + name;
}

} // namespace crosvisor::tests
