// SPDX-License-Identifier: Apache-2.0
// crosvisor-keeper: what a VM's processes belong to, while services come and go.
#include "crosvisor/io/keeper/keeper.hpp"

#include <unistd.h>

#include <string>

using namespace crosvisor;

int main(int argc, char** argv) {
  auto arguments =
    io::parse_keeper_arguments({argv + 1, static_cast<std::size_t>(argc > 0 ? argc - 1 : 0)});
  if (arguments)
    return io::run_keeper(*arguments);
  auto text = "crosvisor-keeper: " + arguments.why().what + "\n";
  [[maybe_unused]] auto written = ::write(STDERR_FILENO, text.data(), text.size());
  return io::keeper_usage_error;
}
