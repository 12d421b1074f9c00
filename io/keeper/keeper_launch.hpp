// SPDX-License-Identifier: Apache-2.0
// What a keeper is started with: its VM, and how the service runs VMs.
#pragma once

#include "crosvisor/io/backend.hpp"
#include "crosvisor/io/linux_vmm_launcher.hpp"
#include "crosvisor/io/result.hpp"
#include "crosvisor/io/unique_fd.hpp"
#include "crosvisor/io/vmm/confinement.hpp"
#include "crosvisor/messages/host_info.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace crosvisor::io {

/// The keeper's side of a launch. A keeper inherits every descriptor under the number that it has
/// in the service, since composite disks name them by number. It is executed as
///
///     crosvisor-keeper --launch-fd N --service-fd N --record-fd N
///
/// each of which it inherits too: the sealed memory file with the launch's text, its connection to
/// the service that starts it, and its record's folder (keeper_record.hpp), locked: the lock is the
/// keeper's from then on. The notes with which it was launched are its first ones.
struct keeper_launch {
  /// `files`, `vsock`, `disks` and `origin` own the inherited descriptors; `streams` is null. Where
  /// they were not taken over, `origin` has no files.
  launch_request request;
  /// The program that was chosen, as it was probed.
  vmm_info vmm;
  /// Without a confinement and a door; the runtime root is the keeper's own.
  vmm_launcher_options how;
  /// The cgroup is the keeper's own, which is in it.
  confinement_options confinement;
  /// Programs and plugins that the VM's user must reach; see vmm_confinement::make.
  std::vector<std::string> programs;
  std::vector<std::string> plugins;
  /// Which boot of the host this is: /proc/sys/kernel/random/boot_id.
  std::string boot_id;
  /// When the VM was launched: milliseconds since 1970-01-01 UTC.
  std::int64_t launched_ms = 0;
  /// Where it listens for later services, absolute; the folder is there.
  std::string socket_path;
};

/// The name of the keeper's program.
inline constexpr const char* keeper_program_name = "crosvisor-keeper";

/// The text of a launch: a JSON object, whose `version` is keeper_protocol_version. Structures are
/// arrays in the order of their inspect(), which is append-only: what a reader doesn't know at the
/// end of one it leaves, what is missing there has its default.
std::string encode_keeper_launch(const keeper_launch& launch);

/// The inverse.
/// @param take_over whether the descriptors that it names are this process's from now on; else
/// `request` has none, as for what was read from a record.
result<keeper_launch> decode_keeper_launch(const std::string& text, bool take_over);

/// The descriptors that a keeper must inherit for this launch, each once, in ascending order.
std::vector<int> descriptors_of(const keeper_launch& launch);

} // namespace crosvisor::io
