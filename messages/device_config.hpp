// SPDX-License-Identifier: Apache-2.0
// What a VM has besides memory, disks and consoles: its devices, and how its processors are seen.
// Knows no CAF type.
#pragma once

#include "crosvisor/messages/file_ref.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace crosvisor {

/// How a VM's CPUs are put together. All 0: as its VMM does it.
struct cpu_topology {
  std::uint32_t sockets = 0;
  std::uint32_t cores = 0;   ///< Of each socket.
  std::uint32_t threads = 0; ///< Of each core.

  explicit operator bool() const noexcept { return sockets != 0 || cores != 0 || threads != 0; }
  std::uint64_t cpus() const noexcept { return std::uint64_t{sockets} * cores * threads; }
};

/// A network card. Without a TAP interface there is none.
struct network_config {
  /// A descriptor of /dev/net/tun, attached to a TAP interface with IFF_NO_PI and IFF_VNET_HDR. Its
  /// path is the interface's name.
  file_ref tap;
  /// The card's address, `52:54:00:12:34:56`; empty: the VMM's choice.
  std::string mac;

  explicit operator bool() const noexcept { return static_cast<bool>(tap); }
};

/// A directory of the host's that the guest mounts by its tag (virtiofs).
struct shared_directory {
  std::string tag;
  /// An open directory.
  file_ref directory;
  bool writable = false;
};

struct device_config {
  cpu_topology topology;
  /// Guest memory in huge pages of the host's.
  bool hugepages = false;
  /// Port of 127.0.0.1 where a debugger finds the guest, min_gdb_port to 65535; 0: none.
  std::uint32_t gdb_port = 0;
  network_config network;
  std::vector<shared_directory> shared_directories;
  /// A source of random numbers.
  bool rng = true;
  /// Memory that survives the guest's crash: a regular file of min_pstore_bytes to
  /// max_pstore_bytes, open for writing.
  file_ref pstore;
  /// How many crash files of the guest's are kept, 0 to max_crash_files, and how large each may be,
  /// 1 to max_crash_file_kib.
  std::uint32_t crash_files = 16;
  std::uint32_t crash_file_kib = 1024;
};

inline constexpr std::uint32_t min_gdb_port = 1024;
inline constexpr std::size_t max_shared_directories = 4;
/// What a virtiofs device has room for.
inline constexpr std::size_t max_tag_bytes = 36;
inline constexpr std::uint64_t min_pstore_bytes = 64u << 10;
inline constexpr std::uint64_t max_pstore_bytes = 16u << 20;
/// A whole number of records of QEMU's device.
inline constexpr std::uint64_t pstore_record_bytes = 8u << 10;
inline constexpr std::uint32_t max_crash_files = 64;
inline constexpr std::uint32_t max_crash_file_kib = 16u << 10;

/// The first problem of what concerns devices alone, or nothing; see find_problem() of vm_config.
/// @param cpus how many the VM has.
std::optional<std::string> find_problem(const device_config& devices, std::uint32_t cpus);

/// Whether a VM's creator needs the permission to have something of his own on the host for these:
/// anything but a topology, random numbers and crash files.
bool need_custom(const device_config& devices) noexcept;

/// Whether `mac` is the address of one card, as `52:54:00:12:34:56`.
bool valid_mac(const std::string& mac) noexcept;

/// Whether Linux would take `name` for a network interface.
bool valid_interface_name(const std::string& name) noexcept;

template <class Inspector>
auto inspect(Inspector& f, cpu_topology& x) {
  return f(x.sockets, x.cores, x.threads);
}

template <class Inspector>
auto inspect(Inspector& f, network_config& x) {
  return f(x.tap, x.mac);
}

template <class Inspector>
auto inspect(Inspector& f, shared_directory& x) {
  return f(x.tag, x.directory, x.writable);
}

template <class Inspector>
auto inspect(Inspector& f, device_config& x) {
  return f(x.topology, x.hugepages, x.gdb_port, x.network, x.shared_directories, x.rng, x.pstore,
           x.crash_files, x.crash_file_kib);
}

} // namespace crosvisor
