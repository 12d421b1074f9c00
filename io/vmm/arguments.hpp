// SPDX-License-Identifier: Apache-2.0
// A command line while it is put together.
#pragma once

#include <iterator>
#include <string>
#include <utility>
#include <vector>

namespace crosvisor::io {

using arguments = std::vector<std::string>;

inline void append(arguments& to, arguments more) {
  to.insert(to.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

} // namespace crosvisor::io
