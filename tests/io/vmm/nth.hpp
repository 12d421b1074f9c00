// SPDX-License-Identifier: Apache-2.0
// One of the things that a callback has reported.
#pragma once

#include "crosvisor/tests/io/leftovers.hpp"

#include <string>

namespace crosvisor::tests {

/// The one after `before` others, waited for; a copy, since the checks keep references.
inline std::string nth(mailbox<std::string>& box, std::size_t before) {
  auto all = box.wait(before + 1);
  return before < all.size() ? all[before] : "nothing came";
}

/// How many there are by now.
inline std::size_t count(mailbox<std::string>& box) {
  return box.wait(0).size();
}

} // namespace crosvisor::tests
