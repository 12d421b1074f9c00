// SPDX-License-Identifier: Apache-2.0
// What a keeper leaves on the host.
#pragma once

#include "crosvisor/io/keeper/keeper_record.hpp"
#include "crosvisor/io/result.hpp"
#include "crosvisor/io/unique_fd.hpp"
#include "crosvisor/io/vmm/vm_cgroup.hpp"

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace crosvisor::io {

/// What follows the name of a life in that of its keeper's socket.
inline constexpr std::string_view keeper_socket_suffix = ".socket";

/// Where keepers have what they have. Any thread.
struct keeper_places {
  std::string folder;  ///< Of sockets and runtime directories.
  unique_fd folder_fd; ///< The same, opened.
  std::string state_dir;
  std::shared_ptr<cgroup_tree> cgroups; ///< Null: none.

  /// Makes the folder (0700) where it is missing.
  static result<std::shared_ptr<const keeper_places>> open(const std::string& folder,
                                                           const std::string& state_dir,
                                                           std::shared_ptr<cgroup_tree> cgroups);

  /// The folder's lock, for as long as the result is held. EBUSY: another process has it.
  result<unique_fd> lock() const;

  std::string socket_path(vm_cid cid, kept_life which = kept_life::present) const;
  std::string runtime_root(vm_cid cid) const;

  /// Removes a keeper's socket, runtime directories and cgroup, and kills what is in the last.
  /// Blocks as long as that takes. With the record's lock held, so that none is a new keeper's.
  void remove(vm_cid cid) const;

  /// The same for a last life.
  void remove_last(vm_cid cid) const;

  /// Removes what both lives have, for all but those that live.
  void remove_all_but(const std::set<vm_cid>& living) const;

private:
  void remove_socket(vm_cid cid, kept_life which) const;
};

/// After the keeper of a VM has ended.
class keeper_remains {
public:
  keeper_remains(std::shared_ptr<const keeper_places> places, vm_cid cid)
      : places_(std::move(places)), cid_(cid) {}

  /// The keeper's life is the last one now. Not beside what follows.
  void step_aside() noexcept { which_ = kept_life::last; }

  /// Makes room for the next life where the keeper itself can't. Blocks for a moment.
  result<void> make_room() const;

  /// Takes the record's lock and removes all but the record.
  void clear();

  /// How the VM ended, by its record; else `otherwise`, which is then recorded. After clear().
  vmm_exit exit_or(vmm_exit otherwise);

  /// After clear().
  void remove_record();

private:
  std::shared_ptr<const keeper_places> places_;
  vm_cid cid_;
  kept_life which_ = kept_life::present;
  std::optional<keeper_record> record_; // None: there is none, or it is not ours.
};

} // namespace crosvisor::io
