// SPDX-License-Identifier: Apache-2.0
// Boost.Process launches, with one initializer of our own that does the child's part; waiting is by
// pidfd on the event loop. Boost's own error pipe, waiting and SIGCHLD handling are not used: in
// version 1 they leave a zombie when exec fails and take signals away from the host program.
//
// vfork instead of fork: starting costs the same whatever this process holds, and its other threads
// suffer no copy-on-write faults. Boost documents posix::use_vfork, but compiles it only where this
// macro is set, in 1.74 as in 1.83.
#define BOOST_POSIX_HAS_VFORK 1

#include "crosvisor/io/child_process.hpp"

#include "crosvisor/io/blocked_signals.hpp"
#include "crosvisor/io/child_setup.hpp"
#include "crosvisor/io/unique_fd.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/process/child.hpp>
#include <boost/process/error.hpp>
#include <boost/process/extend.hpp>
#include <boost/process/posix.hpp>

#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <csignal>
#include <mutex>
#include <new>

namespace crosvisor::io {

namespace {

namespace bp = boost::process;

// -- launching -----------------------------------------------------------------

char path_variable[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
char lang_variable[] = "LANG=C.UTF-8";
char* environment[] = {path_variable, lang_variable, nullptr};

// Our part in Boost.Process: what to execute, and all that the child does before it.
struct child_initializer : bp::extend::handler {
  child_plan plan;
  const char* program = nullptr;
  char* const* argv = nullptr;
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

failure step_failure(const std::string& program, child_failure why) {
  auto words = std::string{std::strerror(why.code)};
  if (why.step == child_step::exec)
    return {why.code, "\"" + program + "\" can't be executed: " + words};
  return {why.code, "\"" + program + "\" can't be started (" + to_string(why.step) + "): " + words};
}

// Whether the child got as far as exec. The pipe is at its end as soon as exec has closed the
// child's copy, and has a failure in it before that. The bound is for copies that a fork elsewhere
// in the host program took with it: vfork has returned, so a failure would be there already.
bool read_failure(int report, child_failure& why) {
  pollfd ready{report, POLLIN, 0};
  auto bound_ms = 2000;
  while (::poll(&ready, 1, bound_ms) < 0 && errno == EINTR)
    ;
  return ready.revents != 0 && ::read(report, &why, sizeof(why)) == sizeof(why);
}

void reap(pid_t pid) {
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
  std::vector<char*> argv;
  for (auto& argument : command.argv)
    argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  child_initializer init;
  init.plan = {::getpid(),        command.stdin_fd,  command.stdout_fd,
               command.stderr_fd, command.inherited, report_out.get()};
  init.program = command.program.c_str();
  init.argv = argv.data();
  auto pid = launch(init);
  if (pid < 0)
    return failure{init.fork_error, std::string{"fork: "} + std::strerror(init.fork_error)};
  report_out.reset();
  if (child_failure why{}; read_failure(report_in.get(), why)) {
    reap(pid);
    return step_failure(command.program, why);
  }
  return pid;
}

exit_status to_exit_status(int status) {
  if (WIFEXITED(status))
    return {exit_kind::code, WEXITSTATUS(status)};
  return {exit_kind::signal, WTERMSIG(status)};
}

// How long a killed child may take to end.
constexpr int unkillable_ms = 5000;

// -- the process, as the loop and its owner share it -----------------------------

class running_child {
public:
  running_child(pid_t pid, unique_fd pidfd) : pid_(pid), pidfd_(std::move(pidfd)) {}

  pid_t pid() const noexcept { return pid_; }
  int pidfd() const noexcept { return pidfd_.get(); }

  void signal(int number) {
    std::lock_guard lock{mutex_};
    if (pidfd_)
      ::syscall(SYS_pidfd_send_signal, pidfd_.get(), number, nullptr, 0);
  }

  // exit_kind::none while it runs. Once it was waited for, its number may be another process's.
  exit_status try_reap(int options) {
    std::lock_guard lock{mutex_};
    if (!pidfd_)
      return {exit_kind::vanished, 0};
    int status = 0;
    pid_t got = 0;
    while ((got = ::waitpid(pid_, &status, options)) < 0 && errno == EINTR)
      ;
    if (got == 0)
      return {};
    pidfd_.reset();
    return got == pid_ ? to_exit_status(status) : exit_status{exit_kind::vanished, 0};
  }

private:
  const pid_t pid_;
  std::mutex mutex_;
  unique_fd pidfd_; // Open until the child is reaped.
};

// Lives in the loop, as what waits there: its end without an exit is the loop's own.
class exit_watch {
public:
  exit_watch(event_loop& loop, std::shared_ptr<running_child> child,
             child_process::exit_callback on_exit)
      : child_(std::move(child)), on_exit_(std::move(on_exit)), descriptor_(loop.context()) {
    descriptor_.assign(child_->pidfd());
  }
  exit_watch(const exit_watch&) = delete;
  exit_watch& operator=(const exit_watch&) = delete;

  ~exit_watch() {
    if (descriptor_.is_open())
      descriptor_.release(); // The child's to close.
    if (reaped_)
      return;
    child_->signal(SIGKILL);
    // A process that the kernel can't end (a hung disk) is left to init.
    pollfd ended{child_->pidfd(), POLLIN, 0};
    if (::poll(&ended, 1, unkillable_ms) != 0)
      child_->try_reap(0);
  }

  static void wait(std::unique_ptr<exit_watch> self) {
    auto& descriptor = self->descriptor_;
    descriptor.async_wait(boost::asio::posix::descriptor_base::wait_read,
                          [self = std::move(self)](const boost::system::error_code& why) mutable {
                            if (!why && !self->report())
                              wait(std::move(self));
                          });
  }

private:
  bool report() {
    descriptor_.release(); // Before try_reap closes it.
    auto status = child_->try_reap(WNOHANG);
    if (status.kind == exit_kind::none) {
      descriptor_.assign(child_->pidfd());
      return false;
    }
    reaped_ = true;
    std::exchange(on_exit_, nullptr)(status);
    return true;
  }

  std::shared_ptr<running_child> child_;
  child_process::exit_callback on_exit_;
  boost::asio::posix::stream_descriptor descriptor_;
  bool reaped_ = false;
};

class owned_child final : public child_process {
public:
  explicit owned_child(std::shared_ptr<running_child> child) : child_(std::move(child)) {}
  ~owned_child() override { child_->signal(SIGKILL); }

  pid_t pid() const noexcept override { return child_->pid(); }
  void signal(int number) override { child_->signal(number); }

private:
  std::shared_ptr<running_child> child_;
};

} // namespace

result<std::shared_ptr<child_process>>
child_process::start(event_loop& loop, const child_command& command, exit_callback on_exit) {
  for (auto fd : command.inherited)
    if (fd <= STDERR_FILENO)
      return failure{EBADF, "descriptor " + std::to_string(fd) + " can't be inherited"};
  auto pid = fork_and_exec(command);
  if (!pid)
    return pid.why();
  unique_fd pidfd{static_cast<int>(::syscall(SYS_pidfd_open, *pid, 0))};
  if (!pidfd) {
    auto why = last_failure("pidfd_open");
    ::kill(*pid, SIGKILL); // Not waited for yet, so the number is still its own.
    reap(*pid);
    return why;
  }
  auto child = std::make_shared<running_child>(*pid, std::move(pidfd));
  std::shared_ptr<child_process> owner = std::make_shared<owned_child>(child);
  try {
    exit_watch::wait(std::make_unique<exit_watch>(loop, child, std::move(on_exit)));
  } catch (const boost::system::system_error& error) {
    child->signal(SIGKILL);
    child->try_reap(0);
    return failure{error.code().value(), std::string{"epoll: "} + error.what()};
  }
  return owner;
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
