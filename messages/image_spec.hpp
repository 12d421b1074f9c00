// SPDX-License-Identifier: Apache-2.0
// What image builders are asked for on a client's behalf, and what they answer. Knows no CAF type.
#pragma once

#include "crosvisor/messages/vm_config.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace crosvisor {

/// What a new writable partition holds. The first three are those of Android's PartitionType.aidl.
enum class partition_type : std::uint8_t {
  raw,            ///< Nothing: a file of holes.
  instance,       ///< Android's instance image: its header, the rest empty.
  encryptedstore, ///< The mark that has a guest format it.
  qcow2,          ///< The seed's: an empty qcow2 of that virtual size.
};

/// A writable partition to be made.
struct partition_spec {
  partition_type type = partition_type::raw;
  /// 1 to max_partition_bytes; rounded up to partition_block_bytes.
  std::uint64_t size_bytes = 0;
  /// Where it goes: a regular file, open for reading and writing.
  file_ref file = {};
};

inline constexpr std::uint64_t partition_block_bytes = 4096;
/// What a GPT disk of 512-byte sectors has room for with its protective MBR (2 TiB), less both
/// GPTs. Also below what crosvm's qcow2 writer takes.
inline constexpr std::uint64_t max_partition_bytes = (std::uint64_t{1} << 41) - (1 << 20);

/// The first problem of a partition_spec, or nothing.
std::optional<std::string> find_problem(const partition_spec& spec);

/// How an APK is to be digested.
struct idsig_spec {
  /// Whether an APK without a signature of scheme v3 gets a digest all the same, with an empty
  /// apk_digest.
  bool allow_unsigned = false;
  file_ref apk = {};
  file_ref idsig = {}; ///< Open for reading and writing.
};

/// What became of an idsig.
struct idsig_info {
  bool was_current = false; ///< It was up to date, and was left untouched.
  std::uint64_t apk_bytes = 0;
  std::uint64_t tree_bytes = 0;
  std::string root_hash;  ///< 64 lower-case hexadecimal digits.
  std::string apk_digest; ///< The same of the signing block's digest; empty: unsigned.
};

/// How far a job is.
struct job_progress {
  std::uint64_t done_bytes = 0;
  std::uint64_t total_bytes = 0;
};

/// Stable names, as command lines spell them.
std::string to_string(partition_type type);
std::optional<partition_type> parse_partition_type(const std::string& word);

template <class Inspector>
auto inspect(Inspector& f, partition_spec& x) {
  return f(x.type, x.size_bytes, x.file);
}

template <class Inspector>
auto inspect(Inspector& f, idsig_spec& x) {
  return f(x.allow_unsigned, x.apk, x.idsig);
}

template <class Inspector>
auto inspect(Inspector& f, idsig_info& x) {
  return f(x.was_current, x.apk_bytes, x.tree_bytes, x.root_hash, x.apk_digest);
}

template <class Inspector>
auto inspect(Inspector& f, job_progress& x) {
  return f(x.done_bytes, x.total_bytes);
}

} // namespace crosvisor
