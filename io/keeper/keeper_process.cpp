// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/keeper/keeper_process.hpp"

#include "crosvisor/io/service_signals.hpp"

#include <link.h>
#include <linux/capability.h>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
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

/// Of the first 32, as all that are needed are.
constexpr __u32 needed_capabilities = 1u << CAP_KILL | 1u << CAP_DAC_OVERRIDE | 1u << CAP_FOWNER;

/// The pages of this program's own code and constants, which come back from its file one by one as
/// they are used: what launched the VM is not used again.
int give_back_code(dl_phdr_info* of, std::size_t, void*) noexcept {
  for (auto i = 0; i < of->dlpi_phnum; ++i) {
    const auto& part = of->dlpi_phdr[i];
    if (part.p_type != PT_LOAD || (part.p_flags & PF_W) != 0)
      continue;
    auto page = static_cast<ElfW(Addr)>(::sysconf(_SC_PAGESIZE));
    auto begin = (of->dlpi_addr + part.p_vaddr) & ~(page - 1);
    auto end = of->dlpi_addr + part.p_vaddr + part.p_memsz;
    ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
  }
  return 1; // The program comes first, and is all that is there.
}

void drop_capabilities() noexcept {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct held[_LINUX_CAPABILITY_U32S_3] = {};
  if (::syscall(SYS_capget, &header, held) != 0)
    return;
  auto kept = held[0].permitted & needed_capabilities;
  held[0] = {kept, kept, 0};
  held[1] = {0, 0, 0};
  ::syscall(SYS_capset, &header, held);
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

void launch_is_over() noexcept {
  ::malloc_trim(0);
  ::dl_iterate_phdr(give_back_code, nullptr);
  drop_capabilities();
}

} // namespace crosvisor::io
