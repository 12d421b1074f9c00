// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/child_privileges.hpp"

#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace crosvisor::io {

namespace {

// The system calls themselves: libc's functions of these names would have every thread of the
// process do the same (nptl(7)), and are not async-signal-safe. Where there are two of a kind, the
// ones with 32 bits for an id.
#ifdef SYS_setresuid32
constexpr long setgroups_call = SYS_setgroups32;
constexpr long setresgid_call = SYS_setresgid32;
constexpr long setresuid_call = SYS_setresuid32;
#else
constexpr long setgroups_call = SYS_setgroups;
constexpr long setresgid_call = SYS_setresgid;
constexpr long setresuid_call = SYS_setresuid;
#endif

constexpr auto unchanged = static_cast<uid_t>(-1);

} // namespace

bool join_cgroup(int procs) noexcept {
  // 0 is whoever writes.
  return ::write(procs, "0", 1) == 1;
}

bool set_groups(std::span<const gid_t> groups) noexcept {
  return ::syscall(setgroups_call, groups.size(), groups.data()) == 0;
}

bool set_gid(gid_t gid) noexcept {
  return ::syscall(setresgid_call, gid, gid, gid) == 0;
}

bool set_uid(uid_t uid) noexcept {
  return ::syscall(setresuid_call, uid, uid, uid) == 0;
}

bool has_no_way_back() noexcept {
  if (::syscall(setresuid_call, unchanged, 0, unchanged) != 0
      && ::syscall(setresgid_call, unchanged, 0, unchanged) != 0)
    return true;
  errno = EPERM;
  return false;
}

bool refuse_new_privileges() noexcept {
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

bool limit_resources(std::span<const child_limit> limits) noexcept {
  for (const auto& limit : limits) {
    rlimit now;
    if (::getrlimit(static_cast<__rlimit_resource_t>(limit.resource), &now) != 0)
      return false;
    now.rlim_max = now.rlim_max < limit.most ? now.rlim_max : limit.most;
    now.rlim_cur = now.rlim_cur < now.rlim_max ? now.rlim_cur : now.rlim_max;
    if (::setrlimit(static_cast<__rlimit_resource_t>(limit.resource), &now) != 0)
      return false;
  }
  return true;
}

} // namespace crosvisor::io
