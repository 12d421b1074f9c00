// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/commands.hpp"

int main(int argc, char** argv) {
  return crosvisor::cli::run_program({argv + (argc > 0 ? 1 : 0), argv + argc});
}
