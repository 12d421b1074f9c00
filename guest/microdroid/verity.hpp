// SPDX-License-Identifier: Apache-2.0
// An APK as a block device on which the kernel checks what is read against the idsig: dm-verity
// (Documentation/admin-guide/device-mapper/verity.rst).
#pragma once

#include "idsig.hpp"
#include "outcome.hpp"
#include "partition.hpp"

#include <cstddef>
#include <cstdint>

namespace crosvisor::guest {

inline constexpr std::uint64_t verity_block = 4096;

/// The bytes of the Merkle tree over so many blocks: its levels, each of whole blocks; none over a
/// single block.
std::uint64_t tree_size_of(std::uint64_t blocks);

/// What an idsig's header must be to go with the partitions that it is about.
/// Bad ones are cause::verification_failed.
outcome check_sizes(const idsig_header& header, std::uint64_t apk_bytes, std::uint64_t idsig_bytes);

/// Writes the table's parameters, ended by a NUL.
/// @param hashes the device of the tree. @returns false where they do not fit.
bool write_table(char* text, std::size_t most, const char* data, const char* hashes,
                 std::uint64_t blocks, const idsig_header& header);

/// A device that is made, and stays until the guest ends.
struct verified_apk {
  char name[48] = "";      ///< As device-mapper calls it.
  char path[48] = "";      ///< Its node in /dev.
  char root_hash[65] = ""; ///< In hexadecimal.
  std::uint64_t blocks = 0;
};

/// Makes the device `name` from an APK's partition and its idsig's.
outcome open_verified(const char* name, const partition& apk, const partition& idsig,
                      verified_apk& made);

/// Reads all of it, so that what is wrong anywhere shows before anything of it is used.
/// What can't be verified is cause::verification_failed.
outcome read_whole(const verified_apk& apk);

/// Whether all that was read so far was as it should be.
bool is_sound(const verified_apk& apk);

} // namespace crosvisor::guest
