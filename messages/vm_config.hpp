// SPDX-License-Identifier: Apache-2.0
// What a client asks for: the configuration of one VM, and its validation. Knows no CAF type.
#pragma once

#include "crosvisor/messages/device_config.hpp"
#include "crosvisor/messages/file_ref.hpp"
#include "crosvisor/messages/fwd.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace crosvisor {

/// Which VMM runs a VM.
enum class vmm_kind : std::uint8_t {
  automatic, ///< crosvm where it is there and works, else QEMU.
  crosvm,
  qemu,
};

/// What executes a guest's instructions.
enum class accel_kind : std::uint8_t {
  automatic, ///< KVM where a guest really runs on it, else TCG.
  kvm,
  tcg, ///< QEMU's emulation; crosvm has none.
};

/// How an image is to be read. Always stated, never probed.
enum class image_format : std::uint8_t {
  raw,
  qcow2,  ///< Without a backing file; of a whole disk alone.
  sparse, ///< Android's sparse format; of read-only partitions alone.
};

/// One partition of a disk that is put together from partitions.
struct partition_config {
  /// Its GPT label: 1 to max_label_units UTF-16 units, unlike every other of the disk.
  std::string label;
  file_ref image;
  image_format format = image_format::raw; ///< `raw` or `sparse`.
  /// What the guest writes reaches the image's own file. The disk must be writable, too.
  bool writable = false;
  /// The partition's own GUID, as `C12A7328-F81F-11D2-BA4B-00A0C93EC93B`; empty: a random one.
  std::string guid;
};

/// One disk, seen by the guest as vda, vdb, … in the order of the configuration. It has an image or
/// partitions.
struct disk_config {
  file_ref image;
  image_format format = image_format::raw; ///< Of the image: `raw` or `qcow2`.
  bool writable = false;
  std::vector<partition_config> partitions = {};
};

/// How far a guest may be looked into.
enum class debug_level : std::uint8_t { none, full };

/// A further APK that a payload uses, and its digest.
struct extra_apk {
  file_ref apk;
  file_ref idsig;
};

/// A payload in an APK, run by an operating system that the host knows by name. Without an APK
/// there is no app.
struct app_config {
  file_ref apk;
  file_ref idsig;
  /// What the payload keeps from one run to the next: an `instance` partition, writable.
  file_ref instance;
  /// An `encryptedstore` partition, writable; may be missing.
  file_ref encrypted_storage;
  /// The payload's configuration, an entry of the APK such as `assets/vm_config.json`; or
  std::string config_path;
  /// the payload itself, a file of the APK's `lib/<abi>/`.
  std::string payload_binary;
  /// One of the operating systems that the host's operator offers.
  std::string os = "microdroid";
  debug_level debug = debug_level::none;
  std::vector<extra_apk> extra_apks;

  explicit operator bool() const noexcept { return static_cast<bool>(apk); }
};

/// Whether a VM is started again when it has died.
enum class restart_policy : std::uint8_t {
  never,
  on_failure, ///< Unless it ended as somebody wanted: a stop, a shutdown, a payload that exits with
              ///< 0.
  always,     ///< Unless somebody stopped it.
};

/// A VM to be created.
struct vm_config {
  /// Empty: the service names it `vm-<cid>`.
  vm_name name;
  /// A Linux kernel; excludes `bootloader`. One of the two is required.
  file_ref kernel;
  /// Initial RAM disk for `kernel`.
  file_ref initrd;
  /// Firmware to boot instead of a kernel.
  file_ref bootloader;
  /// Kernel command line, added to what the VMM's driver needs.
  std::string params;
  std::vector<disk_config> disks;
  /// Instead of a kernel, a bootloader and disks: they are then the operating system's.
  app_config app;
  /// Guest memory in MiB, min_memory_mib to max_memory_mib. For an app also 0: as much as its
  /// operating system asks for.
  std::uint32_t memory_mib = 256;
  /// Virtual CPUs, 1 to max_cpus.
  std::uint32_t cpus = 1;
  /// Memory that the host can't read. Refused where the host can't give it.
  bool protected_vm = false;
  vmm_kind vmm = vmm_kind::automatic;
  accel_kind accel = accel_kind::automatic;
  /// Where the guest's console goes, a descriptor of the client's open for writing. None: to
  /// bounded files of the service's.
  file_ref console;
  /// The same for the guest's log port.
  file_ref log;
  /// Whether the guest speaks the status protocol (docs/guest-protocol.md): then it must say in
  /// time that its payload started, or the VM has hung.
  bool guest_protocol = false;
  /// How long it may take to say so, in seconds, 1 to max_started_timeout_s. 0: 30, or 300 where it
  /// is emulated or its host is a VM itself.
  std::uint32_t started_timeout_s = 0;
  restart_policy restart = restart_policy::never;
  device_config devices = {};
};

inline constexpr std::uint32_t min_memory_mib = 16;
/// 4 TiB, what a 42-bit guest physical address reaches.
inline constexpr std::uint32_t max_memory_mib = 4u << 20;
inline constexpr std::uint32_t max_cpus = 64;
inline constexpr std::size_t max_disks = 24;
/// What a GPT of 16,896 bytes has room for.
inline constexpr std::size_t max_partitions = 128;
/// UTF-16 units of a GPT label.
inline constexpr std::size_t max_label_units = 36;
inline constexpr std::size_t max_extra_apks = 32;
inline constexpr std::size_t max_config_path_bytes = 1024;
inline constexpr std::uint32_t max_started_timeout_s = 86'400;
/// x86 Linux cuts its command line at 2,048 bytes (COMMAND_LINE_SIZE); ours needs some of them.
inline constexpr std::size_t max_params_bytes = 1792;
inline constexpr std::size_t max_name_bytes = 64;

/// The first problem of a configuration, or nothing. Looks at the values alone, opens no file.
/// The sentence names the key, what it has and what is allowed.
std::optional<std::string> find_problem(const vm_config& config);

/// Letters, digits, `.`, `_` and `-`, a letter first, at most max_name_bytes: so a name never looks
/// like a CID, a path or an option.
bool valid_vm_name(const vm_name& name) noexcept;

/// Whether `text` is a GUID in its usual spelling, of either case, without braces.
bool valid_guid(const std::string& text) noexcept;

/// What is wrong with a partition's label, or nothing: `is missing; a partition needs a label`.
std::optional<std::string> label_problem(const std::string& label);

/// Stable lower-case names, as configurations and output spell them.
std::string to_string(vmm_kind kind);
std::string to_string(accel_kind kind);
std::string to_string(image_format format);
std::string to_string(debug_level level);
std::string to_string(restart_policy policy);

/// The inverse of to_string; nothing for an unknown word.
std::optional<vmm_kind> parse_vmm_kind(const std::string& word);
std::optional<accel_kind> parse_accel_kind(const std::string& word);
std::optional<image_format> parse_image_format(const std::string& word);
std::optional<debug_level> parse_debug_level(const std::string& word);
std::optional<restart_policy> parse_restart_policy(const std::string& word);

template <class Inspector>
auto inspect(Inspector& f, partition_config& x) {
  return f(x.label, x.image, x.format, x.writable, x.guid);
}

template <class Inspector>
auto inspect(Inspector& f, disk_config& x) {
  return f(x.image, x.format, x.writable, x.partitions);
}

template <class Inspector>
auto inspect(Inspector& f, extra_apk& x) {
  return f(x.apk, x.idsig);
}

template <class Inspector>
auto inspect(Inspector& f, app_config& x) {
  return f(x.apk, x.idsig, x.instance, x.encrypted_storage, x.config_path, x.payload_binary, x.os,
           x.debug, x.extra_apks);
}

template <class Inspector>
auto inspect(Inspector& f, vm_config& x) {
  return f(x.name, x.kernel, x.initrd, x.bootloader, x.params, x.disks, x.app, x.memory_mib, x.cpus,
           x.protected_vm, x.vmm, x.accel, x.console, x.log, x.guest_protocol, x.started_timeout_s,
           x.restart, x.devices);
}

} // namespace crosvisor
