// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/file_server/read_only.hpp"

#include <fcntl.h>
#include <seccomp.h>
#include <sys/prctl.h>

#include <cerrno>
#include <initializer_list>

namespace crosvisor::file_server {

namespace {

/// A list of what fails. Its first failure is kept.
class refusals {
public:
  refusals() : context_(seccomp_init(SCMP_ACT_ALLOW)) {}
  refusals(const refusals&) = delete;
  refusals& operator=(const refusals&) = delete;
  ~refusals() { seccomp_release(context_); }

  void refuse(std::initializer_list<int> calls, int error) {
    for (auto call : calls)
      keep(seccomp_rule_add(context_, SCMP_ACT_ERRNO(static_cast<unsigned>(error)), call, 0));
  }

  /// A call whose argument `index` has the flags of open(2).
  void refuse_open(int call, unsigned index) {
    for (auto [mask, value] : {std::pair{O_ACCMODE, O_WRONLY},
                               {O_ACCMODE, O_RDWR},
                               {O_CREAT, O_CREAT},
                               {O_TRUNC, O_TRUNC}})
      keep(seccomp_rule_add(context_, SCMP_ACT_ERRNO(EROFS), call, 1,
                            SCMP_CMP(index, SCMP_CMP_MASKED_EQ, static_cast<scmp_datum_t>(mask),
                                     static_cast<scmp_datum_t>(value))));
  }

  /// 0, or the negative errno.
  int load() {
    if (context_ == nullptr)
      return -ENOMEM;
    if (error_ == 0)
      error_ = seccomp_load(context_);
    return error_;
  }

private:
  void keep(int error) {
    if (error_ == 0)
      error_ = error;
  }

  scmp_filter_ctx context_;
  int error_ = 0;
};

void refuse_names(refusals& all) {
  all.refuse({SCMP_SYS(creat), SCMP_SYS(mkdir), SCMP_SYS(mkdirat), SCMP_SYS(mknod),
              SCMP_SYS(mknodat), SCMP_SYS(unlink), SCMP_SYS(unlinkat), SCMP_SYS(rmdir),
              SCMP_SYS(rename), SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(link),
              SCMP_SYS(linkat), SCMP_SYS(symlink), SCMP_SYS(symlinkat)},
             EROFS);
}

void refuse_attributes(refusals& all) {
  all.refuse({SCMP_SYS(chmod), SCMP_SYS(fchmod), SCMP_SYS(fchmodat), SCMP_SYS(chown),
              SCMP_SYS(fchown), SCMP_SYS(fchownat), SCMP_SYS(lchown), SCMP_SYS(utime),
              SCMP_SYS(utimes), SCMP_SYS(futimesat), SCMP_SYS(utimensat), SCMP_SYS(setxattr),
              SCMP_SYS(lsetxattr), SCMP_SYS(fsetxattr), SCMP_SYS(removexattr),
              SCMP_SYS(lremovexattr), SCMP_SYS(fremovexattr)},
             EROFS);
}

void refuse_content(refusals& all) {
  all.refuse({SCMP_SYS(truncate), SCMP_SYS(ftruncate), SCMP_SYS(fallocate)}, EROFS);
  all.refuse_open(SCMP_SYS(open), 1);
  all.refuse_open(SCMP_SYS(openat), 2);
  all.refuse_open(SCMP_SYS(open_by_handle_at), 2);
  // Their flags are in memory, where a filter can't look, and could change before they are used.
  all.refuse({SCMP_SYS(openat2), SCMP_SYS(io_uring_setup)}, ENOSYS);
}

} // namespace

io::result<void> refuse_writing() {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    return io::last_failure("prctl");
  refusals all;
  refuse_names(all);
  refuse_attributes(all);
  refuse_content(all);
  if (auto error = all.load(); error != 0)
    return io::failure{-error, "the filter of system calls can't be had"};
  return {};
}

} // namespace crosvisor::file_server
