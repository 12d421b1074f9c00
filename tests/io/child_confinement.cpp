// SPDX-License-Identifier: Apache-2.0
// Children of another user. All of this needs root.
#include "crosvisor/io/child_process.hpp"

#include "crosvisor/tests/io/test_cgroup.hpp"

#include <linux/securebits.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <csignal>
#include <functional>
#include <optional>

#undef CAF_SUITE
#define CAF_SUITE io.child_confinement

using namespace crosvisor;
using namespace crosvisor::io;
using namespace crosvisor::tests;

namespace {

constexpr uid_t uid = 0x70000800;
const std::string as_uid = " as uid 1879050240";

vmm_user user(std::vector<gid_t> groups = {}) {
  return {uid, uid, std::move(groups)};
}

struct ended {
  std::string output;
  exit_status status;
};

struct fixture {
  holdings before;
  std::optional<event_loop> loop{std::in_place, "test-loop"};
  mailbox<exit_status> exits;

  fixture() { CAF_REQUIRE_EQUAL(::geteuid(), 0u); }
  ~fixture() {
    loop.reset();
    CAF_CHECK_EQUAL(to_string(holdings{}), to_string(before));
  }

  result<std::shared_ptr<child_process>> start(const child_command& command) {
    return child_process::start(*loop, command, [this](exit_status s) { exits.put(s); });
  }

  /// Runs a command to its end with its output in a pipe.
  std::string run(child_command command) {
    int ends[2];
    CAF_REQUIRE_EQUAL(::pipe2(ends, O_CLOEXEC), 0);
    unique_fd in{ends[0]}, out{ends[1]};
    command.stdout_fd = command.stderr_fd = out.get();
    auto child = start(command);
    if (!child)
      CAF_FAIL(child.why().what);
    out.reset();
    std::string output;
    char text[4096];
    for (ssize_t got; (got = ::read(in.get(), text, sizeof(text))) > 0;)
      output.append(text, static_cast<std::size_t>(got));
    exits.wait(1);
    return output;
  }
};

child_command shell(const std::string& script, std::optional<vmm_user> as = user()) {
  child_command command{"/bin/sh", {"sh", "-c", script}, {}, -1, -1};
  command.user = std::move(as);
  return command;
}

/// What `act` says, done in a process of its own, which has one thread at first.
std::string in_fork(const std::function<std::string()>& act,
                    const std::function<void(pid_t)>& meanwhile = {}) {
  int ends[2];
  CAF_REQUIRE_EQUAL(::pipe2(ends, O_CLOEXEC), 0);
  unique_fd in{ends[0]}, out{ends[1]};
  auto pid = ::fork();
  if (pid == 0) {
    auto said = act();
    (void)!::write(out.get(), said.data(), said.size());
    ::_exit(0);
  }
  out.reset();
  if (meanwhile)
    meanwhile(pid);
  std::string said;
  char text[1024];
  for (ssize_t got; (got = ::read(in.get(), text, sizeof text)) > 0;)
    said.append(text, static_cast<std::size_t>(got));
  ::waitpid(pid, nullptr, 0);
  return said;
}

/// Why a child can't be started, with the code and whose fault it is; or that it was.
std::string start_in_fork(const child_command& command) {
  event_loop own{"forked"};
  auto child = child_process::start(own, command, [](exit_status) {});
  if (child)
    return "started";
  return std::to_string(child.why().code) + (program_at_fault(child.why()) ? " program " : " host ")
         + child.why().what;
}

std::string expected(int code, const std::string& step, int shown) {
  return std::to_string(code) + " host \"/bin/sh\" can't be started" + as_uid + " (" + step
         + "): " + std::strerror(shown);
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(child_confinement_tests, fixture)

CAF_TEST(a child of another user has its ids and groups and nothing of ours) {
  child_command command{
    "/bin/grep",
    {"grep", "-E", "^(Uid|Gid|Groups|CapPrm|CapEff|CapAmb|NoNewPrivs)", "/proc/self/status"},
    {},
    -1,
    -1};
  command.user = user({4711, 4712});
  CAF_CHECK_EQUAL(run(command), "Uid:\t1879050240\t1879050240\t1879050240\t1879050240\n"
                                "Gid:\t1879050240\t1879050240\t1879050240\t1879050240\n"
                                "Groups:\t4711 4712 \n"
                                "CapPrm:\t0000000000000000\n"
                                "CapEff:\t0000000000000000\n"
                                "CapAmb:\t0000000000000000\n"
                                "NoNewPrivs:\t1\n");
  command.user = user();
  CAF_CHECK_NOT_EQUAL(run(command).find("Groups:\t \n"), std::string::npos);
}

CAF_TEST(a child of another user has no way back) {
  auto told = run(shell("setpriv --reuid 0 true || echo no uid; setpriv --regid 0 --keep-groups "
                        "true || echo no gid; kill -0 1 || echo no signal; cat /etc/shadow"));
  for (auto* refused : {"no uid\n", "no gid\n", "no signal\n", "/etc/shadow: Permission denied"})
    CAF_CHECK_NOT_EQUAL(told.find(refused), std::string::npos);
}

CAF_TEST(its parent stays what it was in all threads) {
  run(shell("exit 0"));
  CAF_CHECK_EQUAL(::prctl(PR_GET_DUMPABLE), 1); // The child shares no memory with it.
  for (const auto& task : std::filesystem::directory_iterator{"/proc/self/task"}) {
    auto status = read_file(task.path() / "status");
    CAF_CHECK_NOT_EQUAL(status.find("\nUid:\t0\t0\t0\t0\n"), std::string::npos);
    CAF_CHECK_NOT_EQUAL(status.find("\nNoNewPrivs:\t0\n"), std::string::npos);
  }
}

CAF_TEST(what it was given is open and what root owns is closed) {
  temp_dir dir;
  auto path = dir.write("secret", "content", 0600);
  unique_fd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  // Above the limit, which is for new ones.
  unique_fd given{::fcntl(file.get(), F_DUPFD_CLOEXEC, 700)};
  child_command command{
    "/bin/bash", {"bash", "-c", "cat <&700; cat /proc/self/fd/700"}, {given.get()}, -1, -1};
  command.user = user();
  command.limits = {{RLIMIT_NOFILE, 300}};
  CAF_CHECK_EQUAL(run(command), "contentcat: /proc/self/fd/700: Permission denied\n");
}

CAF_TEST(limits are lowered and never raised) {
  auto command = shell("ulimit -Sn; ulimit -Hn; ulimit -Hc; grep processes /proc/self/limits");
  rlimit own;
  ::getrlimit(RLIMIT_NOFILE, &own);
  command.limits = {{RLIMIT_NOFILE, own.rlim_max - 1}, {RLIMIT_CORE, 0}, {RLIMIT_NPROC, 77}};
  auto soft = std::to_string(std::min(own.rlim_cur, own.rlim_max - 1));
  auto told = run(command);
  CAF_CHECK_EQUAL(told.substr(0, told.find("Max")),
                  soft + "\n" + std::to_string(own.rlim_max - 1) + "\n0\n");
  CAF_CHECK_NOT_EQUAL(told.find(" 77 "), std::string::npos);
  command.limits = {{RLIMIT_NOFILE, RLIM_INFINITY}};
  CAF_CHECK_EQUAL(run(command).substr(0, soft.size() + 1), std::to_string(own.rlim_cur) + "\n");
}

CAF_TEST(its processes are counted) {
  auto command = shell("for i in 1 2 3 4 5 6; do sleep 5 & done; wait");
  command.limits = {{RLIMIT_NPROC, 4}};
  CAF_CHECK_NOT_EQUAL(run(command).find("Cannot fork"), std::string::npos);
}

CAF_TEST(signals of its parent reach it) {
  for (auto number : {SIGTERM, SIGKILL}) {
    child_command command{"/bin/sleep", {"sleep", "1000"}, {}, -1, -1};
    command.user = user();
    auto child = start(command);
    CAF_REQUIRE(child);
    (*child)->signal(number);
    auto status = exits.wait(1).front();
    CAF_CHECK_EQUAL(status.value, number);
    exits.clear();
  }
}

CAF_TEST(it dies with its parent) {
  loop.reset();
  int ends[2];
  CAF_REQUIRE_EQUAL(::pipe2(ends, O_CLOEXEC), 0);
  unique_fd in{ends[0]}, out{ends[1]};
  auto parent = ::fork();
  if (parent == 0) {
    event_loop own{"forked"};
    child_command command{"/bin/sleep", {"sleep", "1000"}, {}, -1, -1};
    command.user = user();
    auto child = child_process::start(own, command, {});
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

CAF_TEST(root is no user to confine to) {
  for (const auto& root : {vmm_user{0, 1, {}}, vmm_user{1, 0, {}}}) {
    auto child = start(shell("exit 0", root));
    CAF_REQUIRE(!child);
    CAF_CHECK_EQUAL(child.why().what, "\"/bin/sh\" can't be confined to root");
  }
  // The kernel takes this for "as it is".
  auto child = start(shell("exit 0", vmm_user{static_cast<uid_t>(-1), uid, {}}));
  CAF_REQUIRE(!child);
  CAF_CHECK_NOT_EQUAL(child.why().what.find("(can become root again)"), std::string::npos);
}

CAF_TEST(a program that its user cannot reach is at fault) {
  temp_dir dir; // 0700.
  auto command = shell("exit 0");
  command.program = dir.write("program", "#!/bin/sh\n", 0755);
  auto child = start(command);
  CAF_REQUIRE(!child);
  CAF_CHECK_EQUAL(child.why().what,
                  "\"" + command.program + "\" can't be executed" + as_uid + ": Permission denied");
  CAF_CHECK(program_at_fault(child.why()));
}

CAF_TEST(a user who is not there starts nothing) {
  loop.reset();
  int ends[2];
  CAF_REQUIRE_EQUAL(::pipe2(ends, O_CLOEXEC), 0);
  unique_fd in{ends[0]}, out{ends[1]};
  unique_fd go_in, go_out;
  CAF_REQUIRE_EQUAL(::pipe2(ends, O_CLOEXEC), 0);
  go_in.reset(ends[0]);
  go_out.reset(ends[1]);
  char byte = 0;
  auto said = in_fork(
    [&] {
      auto apart = ::unshare(CLONE_NEWUSER) == 0;
      (void)!::write(out.get(), apart ? "y" : "n", 1);
      (void)!::read(go_in.get(), &byte, 1);
      return apart ? start_in_fork(shell("exit 0")) : std::string{};
    },
    [&](pid_t pid) {
      (void)!::read(in.get(), &byte, 1);
      for (auto* map : {"/uid_map", "/gid_map"})
        std::ofstream{"/proc/" + std::to_string(pid) + map} << "0 0 1\n";
      (void)!::write(go_out.get(), "x", 1);
    });
  if (said.empty())
    CAF_MESSAGE("SKIPPED: no user namespace can be made on this host");
  else
    CAF_CHECK_EQUAL(said, expected(EINVAL, "setresgid", EINVAL));
}

CAF_TEST(who may not change users starts nothing and blames no program) {
  loop.reset();
  auto said = in_fork(
    [] { return ::setresuid(65534, 65534, 65534) == 0 ? start_in_fork(shell("exit 0")) : "?"; });
  CAF_CHECK_EQUAL(said, expected(ENOTSUP, "setgroups", EPERM));
}

CAF_TEST(a user who would keep capabilities starts nothing) {
  loop.reset();
  auto said = in_fork([] {
    return ::prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP) == 0 ? start_in_fork(shell("exit 0"))
                                                                   : "?";
  });
  CAF_CHECK_EQUAL(said, expected(ENOTSUP, "can become root again", EPERM));
}

CAF_TEST(a cgroup that cannot be joined starts nothing) {
  unique_fd full{::open("/dev/full", O_WRONLY | O_CLOEXEC)};
  for (auto as : {std::optional<vmm_user>{}, std::optional{user()}}) {
    auto command = shell("exit 0", as);
    command.cgroup = full.get();
    auto child = start(command);
    CAF_REQUIRE(!child);
    CAF_CHECK_EQUAL(child.why().code, ENOSPC);
    CAF_CHECK_NOT_EQUAL(child.why().what.find("(cgroup.procs)"), std::string::npos);
  }
  CAF_CHECK(child_pids().empty());
}

CAF_TEST(a child is in its cgroup from the start and none that is gone can be joined) {
  test_cgroup cgroup;
  if (!cgroup)
    return;
  auto inner = cgroup / "inner";
  CAF_REQUIRE_EQUAL(::mkdir(inner.c_str(), 0755), 0);
  unique_fd procs{::open((inner + "/cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC)};
  for (auto as : {std::optional<vmm_user>{}, std::optional{user()}}) {
    auto command = shell("grep ^0: /proc/self/cgroup", as);
    command.cgroup = procs.get();
    auto told = run(command);
    CAF_CHECK_NOT_EQUAL(told.find("/inner\n"), std::string::npos);
    exits.clear();
  }
  CAF_REQUIRE_EQUAL(::rmdir(inner.c_str()), 0);
  auto command = shell("exit 0");
  command.cgroup = procs.get();
  auto child = start(command);
  CAF_REQUIRE(!child);
  CAF_CHECK_EQUAL(child.why().code, ENODEV);
}

CAF_TEST(without descriptors each step fails cleanly) {
  auto failures = 0u;
  for (auto free = 0u; free < 12; ++free) {
    std::optional<descriptor_limit> limit{free};
    auto child = start(shell("exit 0"));
    limit.reset();
    if (child)
      continue;
    ++failures;
    CAF_CHECK_EQUAL(child.why().code, EMFILE);
    CAF_CHECK(child_pids().empty());
  }
  CAF_CHECK_GREATER(failures, 2u);
  CAF_CHECK_LESS(failures, 12u);
  exits.wait(12 - failures);
}

CAF_TEST_FIXTURE_SCOPE_END()
