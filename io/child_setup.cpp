// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/child_setup.hpp"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace crosvisor::io {

namespace {

// A copy of `fd` above the standard streams, so that putting those in place overwrites no source.
int above_standard_streams(int fd) noexcept {
  return fd > STDERR_FILENO ? fd : ::fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
}

bool place_standard_streams(const child_plan& plan) noexcept {
  auto null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0)
    return false;
  null = above_standard_streams(null);
  auto in = plan.stdin_fd < 0 ? null : above_standard_streams(plan.stdin_fd);
  auto out = plan.stdout_fd < 0 ? null : above_standard_streams(plan.stdout_fd);
  auto err = plan.stderr_fd < 0 ? null : above_standard_streams(plan.stderr_fd);
  // dup2 leaves the copies open over exec.
  return null >= 0 && in >= 0 && out >= 0 && err >= 0 && ::dup2(in, STDIN_FILENO) >= 0
         && ::dup2(out, STDOUT_FILENO) >= 0 && ::dup2(err, STDERR_FILENO) >= 0;
}

bool keep_inherited(const child_plan& plan) noexcept {
  if (!close_all_on_exec())
    return false;
  for (auto fd : plan.inherited)
    if (::fcntl(fd, F_SETFD, 0) != 0)
      return false;
  return true;
}

void reset_signals() noexcept {
  struct sigaction standard;
  std::memset(&standard, 0, sizeof(standard));
  standard.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number)
    ::sigaction(number, &standard, nullptr); // Refused for SIGKILL, SIGSTOP and libc's own two.
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

// Once it has its user: the kernel forgets this when that changes (prctl(2)).
bool die_with_parent(const child_plan& plan) noexcept {
  if (plan.outlives)
    return true; // The kernel hands no such wish of the parent's down (fork(2)).
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
    return false;
  // The parent may have died before the line above; then no signal will come.
  if (::getppid() == plan.parent)
    return true;
  errno = ESRCH;
  return false;
}

// A directory entry's name as a descriptor number; -1 when it is none.
int descriptor_number(const char* name) noexcept {
  int number = 0;
  for (; *name != '\0'; ++name) {
    if (*name < '0' || *name > '9')
      return -1;
    number = number * 10 + (*name - '0');
  }
  return number;
}

// linux_dirent64 of getdents64(2), which libc declares nowhere.
struct directory_entry {
  std::uint64_t inode;
  std::int64_t offset;
  unsigned short length;
  unsigned char type;
  char name[1];
};

struct setup_step {
  child_step name;
  bool (*take)(const child_plan&) noexcept;
};

// In their order. The user changes after all that needs /proc/self, which from then until exec is
// root's (proc(5)), and before what changing it would undo.
constexpr setup_step setup_steps[]{
  {child_step::session, [](const child_plan&) noexcept { return ::setsid() >= 0; }},
  {child_step::cgroup,
   [](const child_plan& plan) noexcept { return plan.cgroup < 0 || join_cgroup(plan.cgroup); }},
  {child_step::standard_streams, place_standard_streams},
  {child_step::descriptors, keep_inherited},
  {child_step::directory, [](const child_plan&) noexcept { return ::chdir("/") == 0; }},
  {child_step::groups,
   [](const child_plan& plan) noexcept { return !plan.user || set_groups(plan.user->groups); }},
  {child_step::gid,
   [](const child_plan& plan) noexcept { return !plan.user || set_gid(plan.user->gid); }},
  {child_step::uid,
   [](const child_plan& plan) noexcept { return !plan.user || set_uid(plan.user->uid); }},
  {child_step::way_back,
   [](const child_plan& plan) noexcept { return !plan.user || has_no_way_back(); }},
  {child_step::new_privileges,
   [](const child_plan& plan) noexcept { return !plan.user || refuse_new_privileges(); }},
  {child_step::parent, die_with_parent},
  {child_step::limits,
   [](const child_plan& plan) noexcept { return limit_resources(plan.limits); }},
};

} // namespace

const char* to_string(child_step step) noexcept {
  switch (step) {
    case child_step::session: return "setsid";
    case child_step::cgroup: return "cgroup.procs";
    case child_step::standard_streams: return "standard streams";
    case child_step::descriptors: return "inherited descriptors";
    case child_step::directory: return "chdir /";
    case child_step::groups: return "setgroups";
    case child_step::gid: return "setresgid";
    case child_step::uid: return "setresuid";
    case child_step::way_back: return "can become root again";
    case child_step::new_privileges: return "prctl PR_SET_NO_NEW_PRIVS";
    case child_step::parent: return "prctl PR_SET_PDEATHSIG";
    case child_step::limits: return "setrlimit";
    case child_step::exec: return "exec";
  }
  return "?";
}

bool close_listed_on_exec() noexcept {
  auto dir = ::open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (dir < 0)
    return false;
  alignas(directory_entry) char entries[2048];
  long got = 0;
  while ((got = ::syscall(SYS_getdents64, dir, entries, sizeof(entries))) > 0) {
    for (long at = 0; at < got;) {
      auto* entry = entries + at;
      unsigned short length = 0;
      std::memcpy(&length, entry + offsetof(directory_entry, length), sizeof(length));
      auto fd = descriptor_number(entry + offsetof(directory_entry, name));
      if (fd > STDERR_FILENO && fd != dir)
        ::fcntl(fd, F_SETFD, FD_CLOEXEC);
      at += length;
    }
  }
  ::close(dir);
  return got == 0;
}

bool close_all_on_exec() noexcept {
  // The system call itself: glibc has no wrapper before 2.34, and its own falls back to closing.
  if (::syscall(SYS_close_range, STDERR_FILENO + 1, ~0u, CLOSE_RANGE_CLOEXEC) == 0)
    return true;
  return close_listed_on_exec();
}

bool become_child(const child_plan& plan, child_step& step) noexcept {
  for (const auto& one : setup_steps) {
    step = one.name;
    if (!one.take(plan))
      return false;
  }
  step = child_step::exec;
  reset_signals();
  return true;
}

void give_up(const child_plan& plan, child_step step, int code) noexcept {
  child_failure why{step, code};
  // A report that can't be written leaves the exit code to tell.
  [[maybe_unused]] auto written = ::write(plan.report, &why, sizeof(why));
  ::_exit(127);
}

} // namespace crosvisor::io
