// SPDX-License-Identifier: Apache-2.0
// Plays crosvm: its version and help, `run` with every argument and descriptor checked, and the
// commands that ask a running VM over its control socket.
//
// It plays 2021's where its own name has `2021` in it, or a file of its name with `.2021` added
// lies beside it; and one without composite disks where its name has `plain` in it. With something
// wrong in how it was started it says so on standard error and exits 1, with an option that crosvm
// doesn't know, 35. Else it plays what words in --params say, in their order:
//
//   play=run             runs until it is told to end (without any word, too)
//   play=exit:N          ends as crosvm does with that code: 0 without --extended-status
//   play=signal:N        ends by a signal
//   play=console:TEXT    writes a line to ttyS0's descriptor; play=log:TEXT to hvc2's
//   play=ignore-power    runs, and does nothing when the power button is pressed
//   play=no-stats        runs, and never answers for its balloon
//   play=refuse-suspend  runs, and can't be suspended
//   play=flood-stderr    writes to standard error without end
//   play=hang            ignores SIGTERM and its control socket
//   report=PATH          writes which file each descriptor is
#include "crosvm_parts.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace {

using namespace stand_in;

int run_vm(era when, const std::vector<std::string>& arguments) try {
  auto options = parse_run(when, arguments);
  auto named = find_descriptors(when, options);
  auto violations = find_violations(named);
  for (const auto& violation : violations)
    std::fprintf(stderr, "crosvm stand-in: %s\n", violation.c_str());
  return violations.empty() ? play_vm(when, options, named) : 1;
} catch (const refused& why) {
  std::fprintf(stderr, "crosvm stand-in: %s\n", why.why.c_str());
  return why.code;
}

} // namespace

int main(int argc, char** argv) {
  std::string self = argv[0];
  auto name = self.substr(self.rfind('/') + 1);
  auto old = name.find("2021") != name.npos || ::access((self + ".2021").c_str(), F_OK) == 0;
  auto when = old ? era::of_2021 : era::todays;
  std::vector<std::string> arguments{argv + 1, argv + argc};
  auto first = arguments.empty() ? std::string{"--help"} : arguments[0];
  if (first == "version")
    return std::puts(old ? "crosvm 0.1.0-stand-in-2021" : "crosvm 0.1.0-stand-in") < 0;
  if (first == "--help")
    return print_help(when, name.find("plain") == name.npos);
  if (first == "run" && arguments.size() == 2 && arguments[1] == "--help")
    return print_run_help(when);
  if (std::find(arguments.begin(), arguments.end(), "run") != arguments.end())
    return run_vm(when, arguments);
  return ask_vm(when, arguments);
}
