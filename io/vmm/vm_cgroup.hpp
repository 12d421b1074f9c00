// SPDX-License-Identifier: Apache-2.0
// A cgroup (v2) for each VM, below one that was delegated to this process.
#pragma once

#include "crosvisor/io/result.hpp"
#include "crosvisor/io/unique_fd.hpp"
#include "crosvisor/messages/fwd.hpp"

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace crosvisor::io {

/// How long what is killed may take until its cgroup can be removed.
inline constexpr std::chrono::seconds cgroup_removal_bound{2};

/// The cgroup `vm-CID` of one VM. When its owner lets go of it, what is still in it is killed
/// (`cgroup.kill`, Linux 5.14), and it is removed, within the bound above. Use from one thread at a
/// time.
class vm_cgroup {
public:
  /// @param parent the directory that has `name` in it.
  vm_cgroup(std::shared_ptr<const unique_fd> parent, std::string name, unique_fd procs);
  vm_cgroup(const vm_cgroup&) = delete;
  vm_cgroup& operator=(const vm_cgroup&) = delete;
  ~vm_cgroup();

  /// Its `cgroup.procs`, open for writing.
  int procs() const noexcept { return procs_.get(); }

private:
  std::shared_ptr<const unique_fd> parent_;
  std::string name_;
  unique_fd procs_;
};

/// The cgroup that was delegated, held by one process at a time.
class cgroup_tree {
public:
  /// Takes its lock (flock), kills and removes VMs' cgroups that an earlier process left there, and
  /// has it hand down the controllers memory and pids where it has them. This process moves from it
  /// to the cgroup `service` in it, if it is there: one with processes hands down no controller
  /// (Documentation/admin-guide/cgroup-v2.rst, No Internal Process Constraint).
  /// @param path absolute. Fails with EBUSY when another living process holds it.
  static result<std::shared_ptr<cgroup_tree>> open(const std::string& path);

  cgroup_tree(unique_fd dir, std::string path);

  /// Makes a VM's. Where the controllers are there it may have max_vmm_threads processes and
  /// threads, and if the host is out of memory, it dies as a whole. Any thread.
  result<std::unique_ptr<vm_cgroup>> make(vm_cid cid);

  /// Makes `keeper-CID`, in which a keeper has a tree of its own, and which no process that opens
  /// this one later touches unasked.
  /// @returns its `cgroup.procs`, open for writing. Any thread.
  result<unique_fd> make_keeper(vm_cid cid);

  /// Moves what is in it to `keeper-CID.last`, so that there can be another keeper of that VM.
  /// None: done. Within twice the bound above. Any thread.
  result<void> put_keeper_aside(vm_cid cid);

  /// Kills what is in it and removes it, within twice the bound above. None: done. Any thread.
  result<void> remove_keeper(vm_cid cid);

  /// The same for one that was put aside.
  result<void> remove_last_keeper(vm_cid cid);

  /// The absolute path of a keeper's.
  std::string keeper_path(vm_cid cid) const;

  /// Those that are there, put aside or not.
  std::vector<vm_cid> keepers() const;

private:
  std::shared_ptr<const unique_fd> dir_;
  std::string path_;
};

} // namespace crosvisor::io
