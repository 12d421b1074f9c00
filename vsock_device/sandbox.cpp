// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/vsock_device/sandbox.hpp"

#include <fcntl.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <initializer_list>

namespace crosvisor::vsock_device {

namespace {

/// Whether this build filters system calls. A sanitizer's runtime makes calls of its own, so its
/// builds don't.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool filters_system_calls = false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)                            \
  || __has_feature(memory_sanitizer)
constexpr bool filters_system_calls = false;
#else
constexpr bool filters_system_calls = true;
#endif
#else
constexpr bool filters_system_calls = true;
#endif

io::result<void> limit_descriptors() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0)
    return io::last_failure("getrlimit");
  // A host that grants fewer gets fewer connections.
  limit.rlim_max = std::min<rlim_t>(limit.rlim_max, descriptor_limit);
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0)
    return io::last_failure("setrlimit");
  return {};
}

io::result<void> limit_process() {
  rlimit none{0, 0};
  if (::setrlimit(RLIMIT_CORE, &none) != 0)
    return io::last_failure("setrlimit");
  if (::prctl(PR_SET_DUMPABLE, 0) != 0 || ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    return io::last_failure("prctl");
  return limit_descriptors();
}

// An allow-list. Its first failure is kept.
class call_filter {
public:
  call_filter() : context_(seccomp_init(SCMP_ACT_KILL_PROCESS)) {}
  call_filter(const call_filter&) = delete;
  call_filter& operator=(const call_filter&) = delete;
  ~call_filter() { seccomp_release(context_); }

  void allow(std::initializer_list<int> calls) {
    for (auto call : calls)
      keep(seccomp_rule_add_array(context_, SCMP_ACT_ALLOW, call, 0, nullptr));
  }

  // Only with arguments that match all.
  void allow(int call, std::initializer_list<scmp_arg_cmp> arguments) {
    keep(seccomp_rule_add_array(context_, SCMP_ACT_ALLOW, call,
                                static_cast<unsigned>(arguments.size()), arguments.begin()));
  }

  io::result<void> load() {
    if (context_ == nullptr)
      return io::failure{ENOMEM, "seccomp: no filter"};
    keep(seccomp_load(context_));
    if (error_ != 0)
      return io::failure{error_, std::string{"seccomp: "} + std::strerror(error_)};
    return {};
  }

private:
  void keep(int outcome) {
    if (outcome < 0 && error_ == 0)
      error_ = -outcome;
  }

  scmp_filter_ctx context_;
  int error_ = 0;
};

scmp_arg_cmp equals(unsigned argument, std::uint64_t value) {
  return {argument, SCMP_CMP_EQ, value, 0};
}

scmp_arg_cmp without(unsigned argument, std::uint64_t bits) {
  return {argument, SCMP_CMP_MASKED_EQ, bits, 0};
}

void allow_memory(call_filter& filter) {
  filter.allow({SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap)});
  filter.allow(SCMP_SYS(mmap), {without(2, PROT_EXEC)});
  filter.allow(SCMP_SYS(madvise), {equals(2, MADV_DONTDUMP)});
  filter.allow(SCMP_SYS(madvise), {equals(2, MADV_DONTNEED)}); // free(3).
}

void allow_sockets(call_filter& filter) {
  constexpr auto kind = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
  filter.allow(SCMP_SYS(socketpair), {equals(0, AF_UNIX), equals(1, kind)});
  filter.allow(SCMP_SYS(setsockopt), {equals(1, SOL_SOCKET), equals(2, SO_SNDBUF)});
  filter.allow({SCMP_SYS(sendmsg), SCMP_SYS(recvmsg), SCMP_SYS(sendto), SCMP_SYS(recvfrom),
                SCMP_SYS(shutdown)});
}

} // namespace

io::result<void> enter_sandbox() {
  if (auto limited = limit_process(); !limited)
    return limited;
  if (!filters_system_calls)
    return {};
  call_filter filter;
  allow_memory(filter);
  allow_sockets(filter);
  filter.allow({SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_ctl), SCMP_SYS(poll),
                SCMP_SYS(ppoll), SCMP_SYS(write), SCMP_SYS(close), SCMP_SYS(fstat),
                SCMP_SYS(clock_gettime), SCMP_SYS(restart_syscall), SCMP_SYS(exit_group)});
  filter.allow(SCMP_SYS(fcntl), {equals(1, F_GET_SEALS)});
  filter.allow(SCMP_SYS(fcntl), {equals(1, F_GETFL)});
  return filter.load();
}

} // namespace crosvisor::vsock_device
