// SPDX-License-Identifier: Apache-2.0
// Whether the tree in an .idsig file is right: in itself, and for an APK.
#pragma once

#include "crosvisor/io/apk/idsig.hpp"
#include "crosvisor/io/job_control.hpp"
#include "crosvisor/io/result.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace crosvisor::io {

/// How many problems of a tree are told; there may be more.
inline constexpr std::size_t max_tree_problems = 16;

/// Hashes each block of the tree, and holds it against the level above, the highest one against the
/// root hash. A tree of no blocks is right: only the APK could tell. Takes 520 KiB; blocks as long
/// as reading and hashing the tree does.
/// @param fd the whole .idsig, a regular file, which `of` was read from.
/// @returns sentences for people, empty for a sound tree: `its tree's level 1, block 3: is not what
/// level 2 states`. Level 1 is the lowest. A failure where it can't be read.
result<std::vector<std::string>> find_tree_problems(int fd, const idsig& of);

/// How an .idsig and an APK go together.
struct apk_match {
  bool tree = false; ///< Root hash and tree are the APK's.
  /// Whether the apk_digest is that of the APK's signature, or both are missing; nothing where the
  /// signature can't be read.
  std::optional<bool> digest;
  std::vector<std::string> problems; ///< Sentences for people, empty where both fit.
};

/// Builds the APK's own tree, and compares the .idsig with it; bounds and progress are those of
/// build_merkle_tree(). Refuses an APK of more than 4 GiB, with code 0.
/// @param fd as above.
/// @param apk a regular file.
result<apk_match> compare_with_apk(int fd, const idsig& of, int apk, const job_control& control);

} // namespace crosvisor::io
