// SPDX-License-Identifier: Apache-2.0
// Finds a VMM's program and asks what it is.
#pragma once

#include "crosvisor/io/host/short_command.hpp"
#include "crosvisor/messages/host_info.hpp"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace crosvisor::io {

/// Where a program may be.
struct program_search {
  /// A path that was given; then nothing else is tried.
  std::string given;
  std::string name;              ///< Such as `crosvm`.
  std::vector<std::string> dirs; ///< Tried in order when no path was given.
  std::string remedy;            ///< What to do when it is nowhere: `install the package …`.
};

/// The path of a program that may be executed, or why there is none.
result<std::string> find_program(const program_search& search);

/// Runs a program with some arguments, and takes what it prints.
using program_runner = std::function<result<command_output>(std::vector<std::string>)>;

/// What the crosvm at `path` says of itself.
///
/// `crosvm version` prints `crosvm 0.1.0` and maybe more (src/main.rs, pkg_version). The words of
/// crosvm_features.hpp are seen in its help, where every option and command has its name, those
/// that were not built in being left out (src/crosvm/cmdline.rs). `crosvm --help` is no command of
/// 2021's, which fails with the same list.
vmm_info probe_crosvm(const std::string& path, const program_runner& run);

/// What the QEMU at `path` says of itself: its version, and of its accelerators `kvm` and `tcg`.
vmm_info probe_qemu(const std::string& path, const program_runner& run);

/// The features of a crosvm that prints such help. Pure.
std::vector<std::string> crosvm_features(const std::string& help, const std::string& run_help);

/// Whether `word` stands in `text`, not as a part of a longer option or command. Pure.
bool mentions(const std::string& text, const std::string& word);

} // namespace crosvisor::io
