// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/child_process.hpp"

#include "crosvisor/io/child_setup.hpp"
#include "crosvisor/io/worker_pool.hpp"
#include "crosvisor/tests/io/leftovers.hpp"
#include "crosvisor/tests/io/temp_dir.hpp"

#include <caf/test/dsl.hpp>

#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <optional>

#undef CAF_SUITE
#define CAF_SUITE io.child_process

using namespace crosvisor;
using namespace crosvisor::io;
using namespace crosvisor::tests;

namespace {

struct ended {
  std::string output;
  exit_status status;
};

struct fixture {
  holdings before;
  mailbox<exit_status> exits; // Goes last: the loop's thread may still be in it.
  std::optional<event_loop> loop{std::in_place, "test-loop"};

  result<std::shared_ptr<child_process>> start(child_command command) {
    return child_process::start(*loop, command, [this](exit_status s) { exits.put(s); });
  }

  result<std::shared_ptr<child_process>> start_shell(const std::string& script) {
    return start({"/bin/sh", {"sh", "-c", script}, {}, -1, -1});
  }

  // Runs a command to its end with its standard output and error in a pipe.
  ended run(child_command command) {
    int ends[2];
    CAF_REQUIRE_EQUAL(::pipe2(ends, O_CLOEXEC), 0);
    unique_fd in{ends[0]}, out{ends[1]};
    command.stdout_fd = command.stderr_fd = out.get();
    auto child = start(std::move(command));
    CAF_REQUIRE(child);
    out.reset();
    ended result;
    char text[4096];
    for (ssize_t got; (got = ::read(in.get(), text, sizeof(text))) > 0;)
      result.output.append(text, static_cast<std::size_t>(got));
    result.status = exits.wait(1).back();
    return result;
  }

  ended run_shell(const std::string& script) {
    return run({"/bin/sh", {"sh", "-c", script}, {}, -1, -1});
  }

  // Without the loop, which has descriptors of its own.
  void check_nothing_left() {
    loop.reset();
    CAF_CHECK_EQUAL(to_string(holdings{}), to_string(before));
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(child_process_tests, fixture)

CAF_TEST(a child has its descriptors under their numbers and no others) {
  temp_dir dir;
  unique_fd file{::open(dir.write("file", "content").c_str(), O_RDONLY | O_CLOEXEC)};
  unique_fd given{::fcntl(file.get(), F_DUPFD_CLOEXEC, 57)};
  unique_fd careless{::fcntl(file.get(), F_DUPFD, 63)}; // Not close-on-exec.
  auto listed = run({"/bin/ls", {"ls", "/proc/self/fd"}, {given.get()}, -1, -1});
  CAF_CHECK_EQUAL(listed.output, "0\n1\n2\n3\n57\n"); // 3 is the directory that ls reads.
  CAF_CHECK_EQUAL(::fcntl(given.get(), F_GETFD), FD_CLOEXEC);
  exits.wait(1);
  auto read = run({"/bin/cat", {"cat", "/proc/self/fd/57"}, {given.get()}, -1, -1});
  CAF_CHECK_EQUAL(read.output, "content");
}

CAF_TEST(a child has a session of its own in the root directory with nothing to read) {
  auto told = run_shell("read pid name state ppid group session rest </proc/self/stat\n"
                        "test $pid = $session && echo leads; pwd; readlink /proc/$$/fd/0");
  CAF_CHECK_EQUAL(told.output, "leads\n/\n/dev/null\n");
}

CAF_TEST(a child has an environment of PATH and LANG) {
  ::setenv("CROSVISOR_TEST_SECRET", "x", 1);
  auto told = run({"/usr/bin/env", {"env"}, {}, -1, -1});
  ::unsetenv("CROSVISOR_TEST_SECRET");
  CAF_CHECK_EQUAL(told.output, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
                               "LANG=C.UTF-8\n");
}

CAF_TEST(a child has default signals whatever its parent ignores or blocks) {
  sigset_t blocked, old;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &blocked, &old);
  auto ignored = ::signal(SIGPIPE, SIG_IGN);
  auto told = run({"/bin/grep", {"grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"}, {}, -1, -1});
  ::signal(SIGPIPE, ignored);
  sigset_t during;
  pthread_sigmask(SIG_SETMASK, &old, &during);
  CAF_CHECK_EQUAL(told.output, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
  CAF_CHECK(sigismember(&during, SIGUSR1)); // The caller's mask is as it was.
  CAF_CHECK(!sigismember(&during, SIGTERM));
}

CAF_TEST(standard output and error may be those of the parent) {
  int ends[2];
  CAF_REQUIRE_EQUAL(::pipe2(ends, O_CLOEXEC), 0);
  unique_fd in{ends[0]}, out{ends[1]}, saved{::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3)};
  ::dup2(out.get(), STDERR_FILENO);
  out.reset();
  auto child = start({"/bin/sh", {"sh", "-c", "echo out; echo err >&2"}, {}, 2, 2});
  ::dup2(saved.get(), STDERR_FILENO);
  CAF_REQUIRE(child);
  exits.wait(1);
  char text[32] = {};
  auto got = ::read(in.get(), text, sizeof(text));
  CAF_CHECK_EQUAL(std::string(text, static_cast<std::size_t>(got)), "out\nerr\n");
}

CAF_TEST(an exit code is reported once) {
  CAF_REQUIRE(start_shell("exit 37"));
  auto child = start_shell("exit 42");
  CAF_REQUIRE(child);
  auto reported = exits.wait(2);
  CAF_REQUIRE_EQUAL(reported.size(), 2u);
  loop.reset();
  CAF_CHECK_EQUAL(exits.wait(2).size(), 2u);
}

CAF_TEST(a code and a signal are told apart) {
  auto child = start_shell("exit 37");
  CAF_REQUIRE(child);
  auto coded = exits.wait(1).front();
  CAF_CHECK(coded.kind == exit_kind::code);
  CAF_CHECK_EQUAL(coded.value, 37);
  auto other = start_shell("kill -SEGV $$");
  CAF_REQUIRE(other);
  auto signaled = exits.wait(2).back();
  CAF_CHECK(signaled.kind == exit_kind::signal);
  CAF_CHECK_EQUAL(signaled.value, SIGSEGV);
}

CAF_TEST(a child can be sent signals until it has ended) {
  auto child = start({"/bin/sleep", {"sleep", "1000"}, {}, -1, -1});
  CAF_REQUIRE(child);
  CAF_CHECK_EQUAL(child_pids(), std::vector<int>{(*child)->pid()});
  (*child)->signal(SIGTERM);
  auto status = exits.wait(1).front();
  CAF_CHECK_EQUAL(status.value, SIGTERM);
  (*child)->signal(SIGKILL);
  child = failure{};
  check_nothing_left();
}

CAF_TEST(letting go kills and reaps and reports) {
  auto child = start({"/bin/sleep", {"sleep", "1000"}, {}, -1, -1});
  CAF_REQUIRE(child);
  child = failure{};
  auto reported = exits.wait(1);
  CAF_REQUIRE_EQUAL(reported.size(), 1u);
  CAF_CHECK_EQUAL(reported.front().value, SIGKILL);
  check_nothing_left();
}

CAF_TEST(the end of the loop kills and reaps) {
  auto child = start({"/bin/sleep", {"sleep", "1000"}, {}, -1, -1});
  CAF_REQUIRE(child);
  loop.reset();
  CAF_CHECK(child_pids().empty());
  (*child)->signal(SIGTERM); // To nobody.
  child = failure{};
  check_nothing_left();
}

CAF_TEST(a program that cannot be executed is an error that leaves nothing) {
  temp_dir dir;
  auto check = [&](const std::string& program, int code) {
    auto child = start({program, {"x"}, {}, -1, -1});
    CAF_REQUIRE(!child);
    CAF_CHECK_EQUAL(child.why().code, code);
    CAF_CHECK(program_at_fault(child.why()));
    CAF_CHECK_NOT_EQUAL(child.why().what.find("\"" + program + "\""), std::string::npos);
    CAF_CHECK(child_pids().empty());
  };
  check(dir / "missing", ENOENT);
  check(dir.write("plain", "#!/bin/sh\n", 0644), EACCES);
  check(dir.path(), EACCES);
  check(dir.write("garbage", "not a program", 0755), ENOEXEC);
  check(dir.write("orphan", "#!/no/such/interpreter\n", 0755), ENOENT);
  check(dir / "plain/under", ENOTDIR);
  check_nothing_left();
}

CAF_TEST(a descriptor that is not open cannot be inherited) {
  auto child = start({"/bin/true", {"true"}, {899}, -1, -1});
  CAF_REQUIRE(!child);
  CAF_CHECK_EQUAL(child.why().code, EBADF);
  CAF_CHECK(!program_at_fault(child.why()));
  CAF_CHECK(!start({"/bin/true", {"true"}, {0}, -1, -1}));
  check_nothing_left();
}

CAF_TEST(without descriptors each step fails cleanly) {
  auto failures = 0u;
  for (auto free = 0u; free < 12; ++free) {
    std::optional<descriptor_limit> limit{free};
    auto child = start_shell("exit 0");
    limit.reset();
    if (child)
      continue;
    ++failures;
    CAF_CHECK_EQUAL(child.why().code, EMFILE);
    CAF_CHECK(!program_at_fault(child.why()));
    CAF_CHECK(child_pids().empty());
  }
  CAF_CHECK_GREATER(failures, 2u);
  CAF_CHECK_LESS(failures, 12u);
  exits.wait(12 - failures);
  check_nothing_left();
}

CAF_TEST(many children at once are each reported) {
  constexpr auto count = 200;
  {
    mailbox<std::shared_ptr<child_process>> children;
    worker_pool workers{4};
    for (auto i = 0; i < count; ++i)
      workers.post([&] {
        if (auto child = start_shell("exit 7"))
          children.put(*child);
      });
    auto reported = exits.wait(count);
    CAF_CHECK_EQUAL(reported.size(), static_cast<std::size_t>(count));
    for (auto& status : reported)
      CAF_CHECK_EQUAL(status.value, 7);
    children.wait(count);
  }
  check_nothing_left();
}

CAF_TEST(a child dies with its parent) {
  loop.reset();
  int ends[2];
  CAF_REQUIRE_EQUAL(::pipe2(ends, O_CLOEXEC), 0);
  unique_fd in{ends[0]}, out{ends[1]};
  auto parent = ::fork();
  if (parent == 0) {
    event_loop own{"forked"};
    auto child = child_process::start(own, {"/bin/sleep", {"sleep", "1000"}, {}, -1, -1}, {});
    pid_t pid = child ? (*child)->pid() : -1;
    (void)!::write(out.get(), &pid, sizeof(pid));
    for (;;)
      ::pause();
  }
  pid_t child = -1;
  CAF_REQUIRE_EQUAL(::read(in.get(), &child, sizeof(child)), static_cast<ssize_t>(sizeof(child)));
  unique_fd pidfd{static_cast<int>(::syscall(SYS_pidfd_open, child, 0))};
  CAF_REQUIRE(pidfd);
  ::kill(parent, SIGKILL);
  ::waitpid(parent, nullptr, 0);
  pollfd end{pidfd.get(), POLLIN, 0};
  CAF_CHECK_EQUAL(::poll(&end, 1, 10'000), 1);
}

CAF_TEST(standard input is what was given and can be what output is) {
  int ends[2];
  CAF_REQUIRE_EQUAL(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  unique_fd ours{ends[0]}, theirs{ends[1]};
  child_command command{"/bin/sh", {"sh", "-c", "read word; echo got $word"}, {}, -1, -1};
  command.stdin_fd = command.stdout_fd = theirs.get();
  auto child = start(std::move(command));
  CAF_REQUIRE(child);
  theirs.reset();
  CAF_REQUIRE_EQUAL(::write(ours.get(), "this\n", 5), 5);
  char text[64];
  auto got = ::recv(ours.get(), text, 9, MSG_WAITALL);
  CAF_CHECK_EQUAL(std::string(text, static_cast<std::size_t>(std::max<ssize_t>(got, 0))),
                  "got this\n");
  CAF_CHECK_EQUAL(exits.wait(1).size(), std::size_t{1});
}

CAF_TEST(without close_range descriptors are found in proc) {
  auto child = ::fork();
  if (child == 0) {
    auto low = ::dup(0), high = ::fcntl(0, F_DUPFD, 700);
    auto closed = close_listed_on_exec();
    auto marked = ::fcntl(low, F_GETFD) == FD_CLOEXEC && ::fcntl(high, F_GETFD) == FD_CLOEXEC;
    ::_exit(closed && marked && ::fcntl(2, F_GETFD) == 0 ? 0 : 1);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  CAF_CHECK_EQUAL(status, 0);
}

CAF_TEST(one that outlives this process ends with neither its owner nor its loop) {
  int ends[2];
  CAF_REQUIRE_EQUAL(::pipe2(ends, O_CLOEXEC), 0);
  unique_fd from{ends[0]}, to{ends[1]};
  child_command command{"/bin/sh", {"sh", "-c", "read line; exit 3"}, {}, -1, -1, from.get()};
  command.outlives = true;
  auto child = start(command);
  CAF_REQUIRE(child);
  auto pid = (*child)->pid();
  from.reset();
  *child = nullptr;
  loop.reset();
  int status = 0;
  CAF_CHECK_EQUAL(::waitpid(pid, &status, WNOHANG), 0);
  to.reset();
  CAF_CHECK_EQUAL(::waitpid(pid, &status, 0), pid);
  CAF_CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 3);
  CAF_CHECK(exits.wait_for([](auto&) { return true; }).empty());
}

CAF_TEST_FIXTURE_SCOPE_END()
