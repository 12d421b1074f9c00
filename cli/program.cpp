// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/commands.hpp"
#include "crosvisor/cli/exit_code.hpp"
#include "crosvisor/cli/output_file.hpp"
#include "crosvisor/cli/print.hpp"

#include <csignal>
#include <exception>

namespace crosvisor::cli {

namespace {

struct dispatch {
  int operator()(const run_arguments& arguments) const { return run(arguments); }
  int operator()(const info_arguments& arguments) const { return info(arguments); }
  int operator()(const logs_arguments& arguments) const { return logs(arguments); }
  int operator()(const text_answer& answer) const { return print(answer.text); }
  int operator()(const usage_error& error) const { return complain(usage, error.what); }
};

} // namespace

int run_program(const std::vector<std::string>& arguments) {
  fill_standard_descriptors();
  std::signal(SIGPIPE, SIG_IGN); // A reader that is gone is an EPIPE.
  try {
    return std::visit(dispatch{}, parse_arguments(arguments));
  } catch (const std::exception& error) { // Out of memory or threads.
    return complain(infrastructure, error.what());
  }
}

} // namespace crosvisor::cli
