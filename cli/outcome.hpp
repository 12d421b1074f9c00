// SPDX-License-Identifier: Apache-2.0
// What a step of a command came to.
#pragma once

#include <string>
#include <variant>

namespace crosvisor::cli {

/// What ends a command before its time.
struct early_end {
  int exit_code = 0;
  std::string what;
};

template <class T>
using outcome = std::variant<T, early_end>;

} // namespace crosvisor::cli
