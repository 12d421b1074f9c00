// SPDX-License-Identifier: Apache-2.0
// Keeps signals away from the calling thread for a while, and from the threads it makes meanwhile.
#pragma once

#include <csignal>

namespace crosvisor::io {

/// Blocks every signal of the calling thread from construction to destruction, but those that a
/// fault of the thread's own raises. A thread that is made in between keeps them blocked: signals
/// are the host program's business, and a broken pipe is an EPIPE to our threads and nothing else.
class blocked_signals {
public:
  blocked_signals() noexcept {
    sigset_t all;
    sigfillset(&all);
    for (auto fault : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP})
      sigdelset(&all, fault);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  blocked_signals(const blocked_signals&) = delete;
  blocked_signals& operator=(const blocked_signals&) = delete;
  ~blocked_signals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

private:
  sigset_t before_;
};

} // namespace crosvisor::io
