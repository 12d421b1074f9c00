// SPDX-License-Identifier: Apache-2.0
// What the plugin is told on nbdkit's command line.
#pragma once

#include "crosvisor/io/result.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace crosvisor::nbdkit {

/// Which components hold Android sparse images, as composite_options::sparse has it: `auto`,
/// `none`, or the numbers of inherited descriptors with commas between. The failure says what is
/// allowed.
io::result<std::optional<std::vector<int>>> parse_sparse(std::string_view text);

} // namespace crosvisor::nbdkit
