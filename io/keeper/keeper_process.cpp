// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/keeper/keeper_process.hpp"

#include "crosvisor/io/service_signals.hpp"

#include <malloc.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>

namespace crosvisor::io {

namespace {

void hold_little_memory() noexcept {
  ::mallopt(M_ARENA_MAX, 1);
  // A buffer of a packet or of output goes back to the host when it is freed.
  ::mallopt(M_MMAP_THRESHOLD, 32 << 10);
  ::mallopt(M_TRIM_THRESHOLD, 64 << 10);
  ::mallopt(M_TOP_PAD, 16 << 10);
}

} // namespace

void become_keeper() noexcept {
  ::prctl(PR_SET_PDEATHSIG, 0);
  ::setsid(); // Fails where it leads one already.
  [[maybe_unused]] auto moved = ::chdir("/");
  ::prctl(PR_SET_DUMPABLE, 0);
  rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  block_service_signals();
  // Those by which a service is told things, and that might reach all of its cgroup.
  for (auto number : {SIGUSR1, SIGUSR2, SIGALRM, SIGQUIT, SIGTSTP, SIGTTIN, SIGTTOU})
    ::signal(number, SIG_IGN);
  hold_little_memory();
}

} // namespace crosvisor::io
