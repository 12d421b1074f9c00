// SPDX-License-Identifier: Apache-2.0
// Starts VMs by keepers, which outlive this process, and finds those that did.
#pragma once

#include "crosvisor/io/backend.hpp"
#include "crosvisor/io/linux_vmm_launcher.hpp"
#include "crosvisor/io/result.hpp"
#include "crosvisor/io/vmm/confinement.hpp"
#include "crosvisor/messages/host_info.hpp"

#include <chrono>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace crosvisor::io {

struct keeper_launcher_options {
  /// Absolute path of crosvisor-keeper; see find_keeper_program().
  std::string program;
  /// The folder of keepers' sockets and of their VMs' runtime directories, held by one process at a
  /// time; absolute, its parent is there. Short: a VM's control socket is some 30 bytes below it,
  /// and has at most 107.
  std::string folder;
  /// For every keeper alike; the runtime root is each keeper's own. `confinement` is where the
  /// keepers' cgroups are made and must have the same users as what follows.
  vmm_launcher_options how;
  confinement_options confinement;
  std::vector<std::string> programs; ///< See vmm_confinement::make.
  std::vector<std::string> plugins;
  std::vector<vmm_info> vmms; ///< As they were probed.
  /// How long keepers that live may take altogether to say who they are, at the start.
  std::chrono::milliseconds hello_bound{5000};
};

struct keeper_backend {
  std::shared_ptr<vmm_launcher> launcher;
  std::shared_ptr<guest_stream_factory> streams;
  /// See backend::kept.
  std::vector<kept_vm> kept;
  /// CIDs that no VM may have: keepers live there that don't say what they should, or belong to
  /// somebody else. They were logged, and are left alone.
  std::set<vm_cid> unusable;
};

/// Finds what keepers there are below `how.state_dir`, and removes what those left that have ended,
/// but for their records, which go with their vmm_process. Blocks for as long as keepers take to
/// answer, which is milliseconds, at most `hello_bound`.
///
/// The launcher starts keepers on worker threads. Its destruction kills every VM that is left,
/// those that were found and not adopted included, and waits for that, at most ten seconds; after
/// leave() it kills none.
result<keeper_backend> make_keeper_backend(const keeper_launcher_options& options);

/// The path of crosvisor-keeper: beside this process's own program, below the same prefix, or where
/// it was to be installed; or why it is nowhere.
result<std::string> find_keeper_program();

} // namespace crosvisor::io
