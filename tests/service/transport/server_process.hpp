// SPDX-License-Identifier: Apache-2.0
// A service in a process of its own, so that its death and its memory are seen.
#pragma once

#include "crosvisor/io/unique_fd.hpp"

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <vector>

namespace crosvisor::tests {

/// Starts a program with a listening socket as its descriptor 3 and a pipe as its standard input,
/// whose end ends it. Throws where it can't.
class server_process {
public:
  /// @param program such as program_folder() + "/crosvisor-basp-server".
  server_process(const std::string& program, const io::unique_fd& listening,
                 const std::vector<std::string>& arguments = {});
  server_process(const server_process&) = delete;
  server_process& operator=(const server_process&) = delete;
  ~server_process();

  pid_t pid() const { return pid_; }

  /// Whether it runs still.
  bool alive();

  /// VmRSS in its status: what it has in memory now, in KiB.
  std::size_t memory_kib() const;

  /// VmHWM: the most that it ever had, since that was forgotten last.
  std::size_t most_memory_kib() const;
  void forget_most_memory() const;

  /// How many descriptors it has open.
  std::size_t descriptors() const;

  /// Processor time that it used, in clock ticks of a hundredth of a second.
  std::size_t cpu_ticks() const;

  /// Ends it in order. @returns its wait status, or -1 where it did not end in time.
  int stop();

private:
  std::size_t status_kib(const std::string& name) const;

  io::unique_fd input_;
  pid_t pid_ = -1;
  int status_ = -1;
};

/// A Unix socket that listens at `path`. Throws where it can't.
io::unique_fd listen_at(const std::string& path, int waiting = 1024);

/// The folder of the running program.
std::string program_folder();

} // namespace crosvisor::tests
