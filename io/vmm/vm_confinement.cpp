// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/vmm/vm_confinement.hpp"

#include "crosvisor/io/logging.hpp"
#include "crosvisor/io/vmm/descriptor_paths.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <string>
#include <utility>

namespace crosvisor::io {

namespace {

/// Not the size of files, which are the guest's disks, nor address space, of which a VMM maps more
/// than it uses.
const std::vector<child_limit>& limits() {
  static const std::vector<child_limit> all{
    {RLIMIT_NOFILE, max_vmm_descriptors},
    {RLIMIT_NPROC, max_vmm_threads},
    // A core has the guest's memory in it.
    {RLIMIT_CORE, 0},
  };
  return all;
}

result<void> check_users(const vmm_user_range& users, const std::vector<std::string>& programs,
                         const std::vector<std::string>& plugins) {
  auto able = check_vmm_users(users);
  for (const auto& program : programs)
    if (able)
      able = check_reach(program, file_use::execute);
  for (const auto& plugin : plugins)
    if (able)
      able = check_reach(plugin, file_use::read);
  return able;
}

} // namespace

result<vmm_confinement> vmm_confinement::make(const confinement_options& options,
                                              const std::vector<std::string>& programs,
                                              const std::vector<std::string>& plugins) {
  vmm_confinement made;
  if (options.users && options.users->first_uid != 0)
    made.users_ = options.users;
  if (made.users_)
    if (auto able = check_users(*made.users_, programs, plugins); !able) {
      if (!options.optional)
        return failure{able.why().code, "VMs can't have users of their own: " + able.why().what};
      log::warn("vms run as uid {}: {}", ::geteuid(), able.why().what);
      made.users_ = std::nullopt;
    }
  if (options.cgroup.empty())
    return made;
  auto cgroups = cgroup_tree::open(options.cgroup);
  if (!cgroups)
    return cgroups.why();
  made.cgroups_ = std::move(*cgroups);
  return made;
}

result<vm_confinement> vm_confinement::make(const vmm_confinement& all, vm_cid cid) {
  vm_confinement made;
  if (all.users())
    made.user_ = user_of(*all.users(), cid);
  if (!all.cgroups())
    return made;
  auto cgroup = all.cgroups()->make(cid);
  if (!cgroup)
    return cgroup.why();
  made.cgroup_ = std::move(*cgroup);
  return made;
}

void vm_confinement::join_cgroup(child_command& command) const {
  if (cgroup_)
    command.cgroup = cgroup_->procs();
}

void vm_confinement::apply_to(child_command& command, accel_kind accel) const {
  join_cgroup(command);
  if (!user_)
    return; // Root's processes are not counted, another's are not the VM's alone.
  command.user = user_;
  if (accel == accel_kind::kvm)
    command.user->groups = kvm_groups();
  command.limits = limits();
}

result<void> vm_confinement::let_into(const runtime_dir& dir, vm_description& vm) const {
  if (!user_)
    return {};
  for (auto [fd, what] : {std::pair{vm.console, "console"},
                          {vm.log, "log"},
                          {vm.failures, "early failures"},
                          {dir.fd(), "runtime directory"}})
    if (::fchown(fd, user_->uid, user_->gid) != 0)
      return last_failure(std::string{what} + ": can't be given to the VM's user");
  vm.control_dir = dir.fd();
  vm.control_path = descriptor_path(dir.fd()) + vm.control_path.substr(vm.control_path.rfind('/'));
  return {};
}

} // namespace crosvisor::io
