// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/commands.hpp"
#include "crosvisor/cli/open_connection.hpp"

#include <cstdlib>

int main(int argc, char** argv) {
  auto code = crosvisor::cli::run_program({argv + (argc > 0 ? 1 : 0), argv + argc});
  if (crosvisor::cli::is_connection_left())
    std::quick_exit(code);
  return code;
}
