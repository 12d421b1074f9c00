// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/failpoint.hpp"

#include <caf/test/dsl.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <set>
#include <string>

#undef CAF_SUITE
#define CAF_SUITE io.failpoint

using namespace crosvisor::io;

namespace {

/// What a process of its own ends with that has this in its environment, since a plan is read once.
int end_of(const char* plans, const std::function<int()>& deeds) {
  auto child = ::fork();
  if (child == 0) {
    ::setenv("CROSVISOR_FAILPOINTS", plans, 1);
    ::_exit(deeds());
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR)
    ;
  return status;
}

} // namespace

CAF_TEST(every step has a name of its own) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < failpoint_count; ++i)
    names.insert(name_of(static_cast<failpoint>(i)));
  CAF_CHECK_EQUAL(names.size(), failpoint_count);
  CAF_CHECK_EQUAL(names.count(""), 0u);
}

CAF_TEST(without a plan nothing fails) {
  auto status = end_of("", [] { return reach(failpoint::claim_cid); });
  CAF_CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

CAF_TEST(a step fails with its errno and others go on) {
  auto status = end_of("make_logs=ENOSPC,claim_cid=EMFILE", [] {
    return reach(failpoint::make_logs) == ENOSPC && reach(failpoint::claim_cid) == EMFILE
               && reach(failpoint::make_vsock) == 0
             ? 7
             : 1;
  });
  CAF_CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
}

CAF_TEST(a number is the time that counts) {
  auto status = end_of("make_logs=EIO:2", [] {
    return reach(failpoint::make_logs) == 0 && reach(failpoint::make_logs) == EIO
               && reach(failpoint::make_logs) == 0
             ? 7
             : 1;
  });
  CAF_CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
}

CAF_TEST(a process kills itself) {
  auto status = end_of("tell_up=kill", [] { return reach(failpoint::tell_up); });
  CAF_CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

CAF_TEST(a short write writes half) {
  auto status = end_of("write_file=short:1", [] {
    return at_most(failpoint::write_file, 9) == 4 && at_most(failpoint::write_file, 9) == 9
               && at_most(failpoint::save_cid, 9) == 9
             ? 7
             : 1;
  });
  CAF_CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
}

CAF_TEST(a plan that names no step is refused) {
  auto status = end_of("make_lgos=kill", [] { return reach(failpoint::make_vsock); });
  CAF_CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
  status = end_of("make_logs=EWHAT", [] { return reach(failpoint::make_vsock); });
  CAF_CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}
