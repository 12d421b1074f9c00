// SPDX-License-Identifier: Apache-2.0
// What the daemon's configuration says: /etc/crosvisor/crosvisor.json.
#pragma once

#include "crosvisor/actors/cid_pool.hpp"
#include "crosvisor/io/logging.hpp"
#include "crosvisor/io/result.hpp"
#include "crosvisor/messages/vm_config.hpp"
#include "crosvisor/service/bounds.hpp"
#include "crosvisor/service/permissions.hpp"
#include "crosvisor/service/transport/transport.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace crosvisor {

/// Where other hosts connect.
struct tls_config {
  std::string address; ///< An IPv4 or IPv6 address to listen on.
  std::uint16_t port = 0;
  transport::tls_files files;
};

/// Where Prometheus asks; one of the two.
struct metrics_config {
  std::string path;    ///< Of a Unix socket; empty: none.
  std::string address; ///< 127.0.0.1 or ::1.
  std::uint16_t port = 0;
};

/// A VM that is started with the daemon.
struct autostart_vm {
  std::string config; ///< Of the VM; absolute.
  vm_name name;       ///< Empty: as its configuration says.
  /// Whose it is; none: the user's who runs the daemon.
  std::optional<std::uint32_t> owner_uid;
  /// None: as its configuration says.
  std::optional<restart_policy> restart;
};

/// Everybody may connect, and is let in who was granted something.
inline constexpr std::uint32_t default_socket_mode = 0666;
inline constexpr std::uint32_t private_socket_mode = 0600;

/// All values have defaults; an empty file is a configuration.
struct daemon_config {
  /// Of the local clients' socket; empty: where the mode has it.
  std::string socket;
  /// Its group and mode; without: the daemon's group, and default_socket_mode or, for one user's
  /// daemon, private_socket_mode.
  std::optional<std::uint32_t> socket_gid;
  std::optional<std::uint32_t> socket_mode;
  std::optional<tls_config> tls;
  /// None: metrics are not served.
  std::optional<metrics_config> metrics;
  permission_grants grants;
  actors::cid_range cids;
  service_bounds bounds;
  std::chrono::milliseconds reference_grace = std::chrono::seconds{10};
  std::chrono::milliseconds stop_grace = std::chrono::seconds{10};
  /// From SIGTERM until VMs that are left are killed.
  std::chrono::milliseconds shutdown_bound = std::chrono::seconds{60};
  std::size_t image_workers = 4;
  /// The VMMs' programs and other parts of an installation; empty: searched for.
  std::string crosvm;
  std::string qemu;
  std::string vsock_device;
  std::string disk_plugin;
  std::string os_folder;
  std::string keeper;
  /// A cgroup (v2) for the VMs, absolute, which outlives the daemon's; empty: as the service
  /// manager has it.
  std::string vmm_cgroup;
  /// In the order in which they are started.
  std::vector<autostart_vm> autostart;
  /// The first uid of VMMs, to which a VM's CID is added; 0: VMMs run as the daemon does.
  std::uint32_t first_vmm_uid = 0x70000000;
  log::level log_level = log::level::info;
};

/// Parses a configuration: docs/daemon.md has its keys. `//` and `/* */` comments are allowed, an
/// empty text is a configuration. Users and groups may be given by name, which are looked up now;
/// see io/accounts.hpp.
/// @returns the failure is the first problem, as `file:line:column: what`.
io::result<daemon_config> parse_daemon_config(const std::string& text,
                                              const std::string& file_name);

/// Reads and parses a file of at most io::max_json_bytes. Blocks as a read does.
/// @param required whether a missing file is a failure; else it stands for the defaults.
io::result<daemon_config> load_daemon_config(const std::string& path, bool required);

/// The keys that differ and count only from the next start on, such as `tls.listen`, in the order
/// of the documentation. The others can be changed in a running daemon.
std::vector<std::string> changes_for_restart(const daemon_config& now, const daemon_config& next);

} // namespace crosvisor
