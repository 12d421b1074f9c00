// SPDX-License-Identifier: Apache-2.0
// What the partition `payload-metadata` tells a guest: a length of 32 bits, big-endian, and so many
// bytes of a protobuf message (metadata.proto); what follows is filler.
#pragma once

#include "crosvisor/io/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace crosvisor::io {

/// How long the message may be; that of a guest with 64 APEXes has some 5 KiB.
inline constexpr std::size_t max_metadata_bytes = 1u << 20;

/// Labels of the partitions of a payload disk.
inline constexpr const char* metadata_label = "payload-metadata";
inline constexpr const char* apk_label = "microdroid-apk";
inline constexpr const char* apk_idsig_label = "microdroid-apk-idsig";
/// Where a guest mounts the APK.
inline constexpr const char* apk_mount_point = "/mnt/apk/";

struct apex_metadata {
  std::string name;
  std::string partition;
  std::uint64_t last_update_seconds = 0;
  bool factory = false;
};

struct payload_metadata {
  std::uint32_t version = 1;
  std::vector<apex_metadata> apexes;
  std::string apk_name = "apk";
  std::string apk_partition = apk_label;
  std::string idsig_partition = apk_idsig_label;
  /// The payload's configuration in the guest, below apk_mount_point; or
  std::string config_path;
  /// the payload itself, with the number of extra APKs, which no configuration states then.
  std::string payload_binary;
  std::uint32_t extra_apk_count = 0;
};

/// The partition's bytes, without filler. All text is UTF-8.
std::string serialize(const payload_metadata& metadata);

/// The inverse. Refuses a length beyond the bytes or max_metadata_bytes, another version than 1,
/// and what is no such message; what follows the message is ignored.
result<payload_metadata> parse_payload_metadata(std::string_view bytes);

} // namespace crosvisor::io
