// SPDX-License-Identifier: Apache-2.0
// The files of verified APKs, unpacked into memory.
#pragma once

#include "outcome.hpp"
#include "verity.hpp"

namespace crosvisor::guest {

inline constexpr const char* apk_folder = "/mnt/apk";

/// Makes room for all that will be unpacked: half of the memory that is free now, at /mnt.
outcome make_room();

/// Unpacks an APK, which was read as a whole before, into a folder below /mnt that it makes. One
/// that is no ZIP file is cause::verification_failed, one that does not fit cause::unknown.
outcome unpack(const verified_apk& apk, const char* folder);

} // namespace crosvisor::guest
