// SPDX-License-Identifier: Apache-2.0
// nbdkit with the plugin, as a user runs it: for as long as one command of NBD clients takes.
#pragma once

#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <string>

namespace crosvisor::tests {

struct shell_end {
  int code = -1;
  std::string output; ///< Both streams.
};

/// Runs a command with all descriptors that are not close-on-exec.
inline shell_end shell(const std::string& command) {
  shell_end end;
  auto* pipe = ::popen(("{ " + command + "\n} 2>&1").c_str(), "r");
  if (pipe == nullptr)
    return end;
  std::array<char, 4096> buffer;
  for (std::size_t n = 0; (n = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;)
    end.output.append(buffer.data(), n);
  auto status = ::pclose(pipe);
  end.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return end;
}

/// @param options of nbdkit's and the plugin's; without quotes in them.
/// @param clients a command with `$uri`, without single quotes.
inline shell_end with_nbdkit(const std::string& options, const std::string& clients) {
  return shell("nbdkit -U - " NBDKIT_PLUGIN " " + options + " --run '" + clients + "'");
}

} // namespace crosvisor::tests
