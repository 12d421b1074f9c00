// SPDX-License-Identifier: Apache-2.0
// Boost.Process launches, with one initializer of our own that does the child's part, but for
// children of another user. Boost's own error pipe, waiting and SIGCHLD handling are not used: in
// version 1 they leave a zombie when exec fails and take signals away from the host program.
//
// vfork instead of fork: starting costs the same whatever this process holds, and its other threads
// suffer no copy-on-write faults. Boost documents posix::use_vfork, but compiles it only where this
// macro is set, in 1.74 as in 1.83.
#define BOOST_POSIX_HAS_VFORK 1

#include "crosvisor/io/child_launch.hpp"

#include "crosvisor/io/blocked_signals.hpp"
#include "crosvisor/io/child_setup.hpp"
#include "crosvisor/io/unique_fd.hpp"

#include <boost/process/child.hpp>
#include <boost/process/error.hpp>
#include <boost/process/extend.hpp>
#include <boost/process/posix.hpp>

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <new>

namespace crosvisor::io {

namespace {

namespace bp = boost::process;

char path_variable[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
char lang_variable[] = "LANG=C.UTF-8";

// Our part in Boost.Process: what to execute, and all that the child does before it.
struct child_initializer : bp::extend::handler {
  child_plan plan;
  const char* program = nullptr;
  char* const* argv = nullptr;
  char** environment = nullptr;
  int fork_error = 0;

  template <class Executor>
  void on_setup(Executor& exec) const {
    exec.exe = program;
    exec.cmd_line = argv;
    exec.env = environment;
  }

  template <class Executor>
  void on_fork_error(Executor&, const std::error_code& why) {
    fork_error = why.value();
  }

  template <class Executor>
  void on_exec_setup(Executor&) const {
    set_up();
  }

  void set_up() const {
    auto step = child_step::exec;
    if (!become_child(plan, step))
      give_up(plan, step, errno);
  }

  template <class Executor>
  void on_exec_error(Executor&, const std::error_code& why) const {
    give_up(plan, child_step::exec, why.value());
  }
};

pid_t launch(child_initializer& init) {
  // A handler of the host's would run in the child too, on memory that it shares with us.
  blocked_signals during_vfork;
  bp::child child(bp::ignore_error, bp::posix::use_vfork, init);
  auto pid = child.id();
  child.detach(); // Or its destructor would kill; we wait for it by ourselves.
  return pid;
}

// Its own way for a child that changes its user. With vfork it would be that user's with our memory
// in it, where ptrace(2) by others of that user is kept off by nothing but a flag of the memory's
// (PR_SET_DUMPABLE), and whoever stops it would stop the thread that waits for it.
pid_t launch_copy(child_initializer& init) {
  blocked_signals during_fork;
  auto pid = ::fork();
  if (pid < 0)
    init.fork_error = errno;
  if (pid != 0)
    return pid;
  init.set_up();
  ::execve(init.program, init.argv, init.environment);
  give_up(init.plan, child_step::exec, errno);
}

failure step_failure(const child_command& command, child_failure why) {
  auto words = std::string{std::strerror(why.code)};
  auto program = "\"" + command.program + "\" can't be ";
  auto user = command.user ? " as uid " + std::to_string(command.user->uid) : std::string{};
  if (why.step == child_step::exec)
    return {why.code, program + "executed" + user + ": " + words};
  // What the program is blamed for by its code is exec's alone.
  auto code = program_at_fault({why.code, {}}) ? ENOTSUP : why.code;
  return {code, program + "started" + user + " (" + to_string(why.step) + "): " + words};
}

// As exec takes them.
std::vector<char*> array_of(const std::vector<std::string>& texts, std::vector<char*> array = {}) {
  for (const auto& text : texts)
    array.push_back(const_cast<char*>(text.c_str()));
  array.push_back(nullptr);
  return array;
}

// Whether the child got as far as exec. The pipe is at its end as soon as exec has closed the
// child's copy, and has a failure in it before that. The bound is for copies that a fork elsewhere
// in the host program took with it: once vfork has returned, a failure would be there already. And
// for a child of ours that was stopped meanwhile.
bool read_failure(int report, child_failure& why) {
  pollfd ready{report, POLLIN, 0};
  auto bound_ms = 2000;
  while (::poll(&ready, 1, bound_ms) < 0 && errno == EINTR)
    ;
  return ready.revents != 0 && ::read(report, &why, sizeof(why)) == sizeof(why);
}

child_plan plan_of(const child_command& command, int report) {
  child_plan plan;
  plan.parent = ::getpid();
  plan.stdin_fd = command.stdin_fd;
  plan.stdout_fd = command.stdout_fd;
  plan.stderr_fd = command.stderr_fd;
  plan.inherited = command.inherited;
  plan.report = report;
  plan.user = command.user ? &*command.user : nullptr;
  plan.limits = command.limits;
  plan.cgroup = command.cgroup;
  plan.outlives = command.outlives;
  return plan;
}

std::string words_of_fork(int code) {
  std::string words = std::strerror(code);
  if (code == EAGAIN)
    words += "; there are as many processes and threads as may be (RLIMIT_NPROC, pids.max)";
  return words;
}

} // namespace

void reap(pid_t pid) noexcept {
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR)
    ;
}

result<pid_t> fork_and_exec(const child_command& command) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    return last_failure("pipe");
  unique_fd report_in{ends[0]}, report_out{::fcntl(ends[1], F_DUPFD_CLOEXEC, 3)};
  ::close(ends[1]);
  if (!report_out)
    return last_failure("pipe");
  auto argv = array_of(command.argv);
  auto environment = array_of(command.environment, {path_variable, lang_variable});
  child_initializer init;
  init.plan = plan_of(command, report_out.get());
  init.program = command.program.c_str();
  init.argv = argv.data();
  init.environment = environment.data();
  auto pid = command.user ? launch_copy(init) : launch(init);
  if (pid < 0)
    return failure{init.fork_error, "fork: " + words_of_fork(init.fork_error)};
  report_out.reset();
  if (child_failure why{}; read_failure(report_in.get(), why)) {
    reap(pid);
    return step_failure(command, why);
  }
  return pid;
}

bool program_at_fault(const failure& why) noexcept {
  switch (why.code) {
    case ENOENT:
    case EACCES:
    case ENOEXEC:
    case ENOTDIR:
    case EISDIR:
    case ELOOP:
    case ENAMETOOLONG:
    case EPERM:
    case ETXTBSY:
    case ELIBBAD: return true;
    default: return false;
  }
}

} // namespace crosvisor::io
