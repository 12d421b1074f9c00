// SPDX-License-Identifier: Apache-2.0
// The partition that tells Microdroid about its payload: Android's `Metadata`, in protobuf, of 2021
// and of today.
#pragma once

#include "byte_reader.hpp"
#include "outcome.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace crosvisor::guest {

/// Views into the bytes that it was read from.
struct payload_metadata {
  std::string_view apk_label; ///< Of the partitions; those of Android where none is given.
  std::string_view idsig_label;
  std::string_view
    config_path; ///< Of the payload's configuration, such as "/mnt/apk/assets/x.json".
  std::string_view binary_name; ///< Or, without one, of the payload in lib/<abi>/.
  std::uint32_t extra_apks = 0; ///< As many as a payload without a configuration has.
};

inline constexpr std::size_t most_metadata = 1u << 20;

/// Reads the partition: a length of 32 bits, big-endian, so many bytes of protobuf, and filler.
/// Bad ones are cause::invalid_config. Keys that are not known are passed over.
outcome read_metadata(byte_view partition, payload_metadata& metadata);

} // namespace crosvisor::guest
