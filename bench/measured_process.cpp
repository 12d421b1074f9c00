// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/bench/measured_process.hpp"

#include "crosvisor/bench/measure.hpp"
#include "crosvisor/io/unique_fd.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <thread>

namespace crosvisor::bench {

namespace {

std::vector<char*> pointers_to(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (auto& word : words)
    pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

/// posix_spawn has no way to change the user.
std::vector<std::string> argv_of(const program_line& program) {
  if (program.uid == 0)
    return program.argv;
  auto uid = std::to_string(program.uid);
  std::vector<std::string> argv{"setpriv", "--reuid", uid, "--regid", uid, "--clear-groups", "--"};
  argv.insert(argv.end(), program.argv.begin(), program.argv.end());
  return argv;
}

class file_actions {
public:
  explicit file_actions(const char* errors) {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_addopen(&actions_, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    ::posix_spawn_file_actions_addopen(&actions_, STDERR_FILENO, errors,
                                       O_WRONLY | O_CREAT | O_APPEND, 0600);
  }
  file_actions(const file_actions&) = delete;
  file_actions& operator=(const file_actions&) = delete;
  ~file_actions() { ::posix_spawn_file_actions_destroy(&actions_); }

  const posix_spawn_file_actions_t* get() const { return &actions_; }

private:
  posix_spawn_file_actions_t actions_{};
};

/// What this process ignores or blocks, the other one does not.
class plain_signals {
public:
  plain_signals() {
    sigset_t none, all;
    ::sigemptyset(&none);
    ::sigfillset(&all);
    ::posix_spawnattr_init(&attributes_);
    ::posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    ::posix_spawnattr_setsigmask(&attributes_, &none);
    ::posix_spawnattr_setsigdefault(&attributes_, &all);
  }
  plain_signals(const plain_signals&) = delete;
  plain_signals& operator=(const plain_signals&) = delete;
  ~plain_signals() { ::posix_spawnattr_destroy(&attributes_); }

  const posix_spawnattr_t* get() const { return &attributes_; }

private:
  posix_spawnattr_t attributes_{};
};

pid_t spawn(const program_line& program, const char* errors) {
  auto argv = argv_of(program);
  auto environment = program.environment;
  const auto* path = std::getenv("PATH");
  environment.push_back("PATH=" + std::string{path ? path : "/usr/bin:/bin"} + ":/usr/sbin:/sbin");
  file_actions files{errors};
  plain_signals signals;
  pid_t pid = 0;
  auto failed = ::posix_spawnp(&pid, argv.front().c_str(), files.get(), signals.get(),
                               pointers_to(argv).data(), pointers_to(environment).data());
  if (failed != 0)
    throw std::runtime_error(argv.front() + ": " + std::strerror(failed));
  return pid;
}

int reap(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

} // namespace

double time_of(const program_line& program) {
  auto began = now_ns();
  auto status = reap(spawn(program, "/dev/null"));
  auto took = seconds(now_ns() - began);
  if (status != 0)
    throw std::runtime_error("failed: " + program.argv.front());
  return took;
}

background_process::background_process(const program_line& program, const std::string& log)
    : log_(log), pid_(spawn(program, log.c_str())) {}

background_process::~background_process() {
  if (pid_ == 0)
    return;
  ::kill(pid_, SIGKILL);
  reap(pid_);
}

void background_process::end() {
  ::kill(pid_, SIGTERM);
  reap(std::exchange(pid_, 0));
}

bool background_process::has_ended() const {
  siginfo_t found{};
  auto flags = WEXITED | WNOHANG | WNOWAIT;
  return ::waitid(P_PID, static_cast<id_t>(pid_), &found, flags) != 0 || found.si_pid != 0;
}

void background_process::wait_until(const std::function<bool()>& serves) const {
  auto until = std::chrono::steady_clock::now() + patience;
  while (!serves()) {
    if (has_ended() || std::chrono::steady_clock::now() > until) {
      std::ifstream said{log_};
      throw std::runtime_error("a daemon does not serve: "
                               + std::string{std::istreambuf_iterator<char>{said}, {}});
    }
    // It tells nobody in this process when it does.
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
  }
}

double background_process::resident() const {
  std::ifstream status{"/proc/" + std::to_string(pid_) + "/status"};
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmRSS:"))
      return 1024 * std::strtod(line.c_str() + 6, nullptr);
  throw std::runtime_error("a daemon has ended");
}

} // namespace crosvisor::bench
