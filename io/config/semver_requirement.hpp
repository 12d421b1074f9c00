// SPDX-License-Identifier: Apache-2.0
// Requirements on a version, as Android's VM configurations state them.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace crosvisor::io {

/// A released version, one without a pre-release tag.
struct semver {
  std::uint64_t major = 0;
  std::uint64_t minor = 0;
  std::uint64_t patch = 0;
};

/// Whether `version` meets `requirement`, in the syntax and by the rules of Cargo's requirements
/// (`~1.0`, `^1.2.3`, `>=1, <2`, `1.*`, `*`; a bare version means `^`). Nothing when `requirement`
/// is none.
std::optional<bool> meets_requirement(std::string_view requirement, const semver& version);

} // namespace crosvisor::io
