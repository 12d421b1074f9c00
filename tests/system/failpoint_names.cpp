// SPDX-License-Identifier: Apache-2.0
// Prints the name of every failpoint, one a line.
#include "crosvisor/io/failpoint.hpp"

#include <cstdio>

using namespace crosvisor::io;

int main() {
  for (std::size_t i = 0; i < failpoint_count; ++i)
    std::puts(std::string{name_of(static_cast<failpoint>(i))}.c_str());
}
