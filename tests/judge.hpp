// SPDX-License-Identifier: Apache-2.0
// Programs of others that judge what ours wrote.
#pragma once

#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <stdexcept>
#include <string>

namespace crosvisor::tests {

struct verdict {
  int exit_code = -1; ///< 127: the program is missing (packaging/setup.sh judges); -1: killed.
  std::string out;    ///< Both of its outputs.
};

/// Runs a shell's command line to its end, with all descriptors that are not close-on-exec.
inline verdict ask(const std::string& command) {
  // Partitioning tools are in sbin, which not everybody has in PATH.
  auto line = "PATH=$PATH:/usr/sbin:/sbin LC_ALL=C; export PATH LC_ALL; exec 2>&1; " + command;
  auto* pipe = ::popen(line.c_str(), "re");
  if (pipe == nullptr)
    throw std::runtime_error("popen");
  verdict said;
  std::array<char, 4096> bytes;
  while (auto n = ::fread(bytes.data(), 1, bytes.size(), pipe))
    said.out.append(bytes.data(), n);
  auto status = ::pclose(pipe);
  said.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return said;
}

} // namespace crosvisor::tests
