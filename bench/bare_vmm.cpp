// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/bench/bare_vmm.hpp"

#include "crosvisor/bench/measure.hpp"
#include "crosvisor/io/vmm/control_socket.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>

#include <csignal>

namespace crosvisor::bench {

namespace {

void make_pipe(io::unique_fd& in, io::unique_fd& out) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    throw std::runtime_error(io::last_failure("pipe").what);
  in.reset(ends[0]);
  out.reset(ends[1]);
}

/// What the child gets, as the service's children get it.
class spawn_plan {
public:
  explicit spawn_plan(const io::child_command& command) {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDWR, 0);
    ::posix_spawn_file_actions_adddup2(&actions_, command.stdout_fd, STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions_, command.stderr_fd, STDERR_FILENO);
    for (auto fd : command.inherited) // Onto itself: clears CLOEXEC in the child.
      ::posix_spawn_file_actions_adddup2(&actions_, fd, fd);
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    ::posix_spawnattr_init(&attributes_);
    ::posix_spawnattr_setflags(&attributes_,
                               POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    ::posix_spawnattr_setsigmask(&attributes_, &none);
    ::posix_spawnattr_setsigdefault(&attributes_, &all);
    for (const auto& argument : command.argv)
      argv_.push_back(const_cast<char*>(argument.c_str()));
    argv_.push_back(nullptr);
  }
  spawn_plan(const spawn_plan&) = delete;
  spawn_plan& operator=(const spawn_plan&) = delete;
  ~spawn_plan() {
    ::posix_spawnattr_destroy(&attributes_);
    ::posix_spawn_file_actions_destroy(&actions_);
  }

  pid_t run(const std::string& program) {
    char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    char lang[] = "LANG=C.UTF-8";
    char* environment[] = {path, lang, nullptr};
    pid_t pid = 0;
    errno =
      ::posix_spawn(&pid, program.c_str(), &actions_, &attributes_, argv_.data(), environment);
    if (errno != 0)
      throw std::runtime_error(io::last_failure("posix_spawn of " + program).what);
    return pid;
  }

private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
  std::vector<char*> argv_;
};

} // namespace

bare_vmm::bare_vmm(const io::vmm_driver& driver, const vm_config& config, accel_kind accel,
                   std::shared_ptr<io::descriptor_set> files, int vsock_device)
    : files_(std::move(files)),
      open_(need(io::describe_vm_files(config, *files_))),
      control_(need(io::make_connected_pair())) {
  io::vm_description vm;
  vm.name = config.name;
  vm.accel = accel;
  vm.memory_mib = config.memory_mib;
  vm.cpus = config.cpus;
  vm.params = config.params;
  vm.kernel = open_.kernel;
  vm.initrd = open_.initrd;
  vm.bootloader = open_.bootloader;
  vm.disks = open_.disks;
  vm.vsock_device = vsock_device;
  make_pipes(vm);
  command_ = driver.command(vm);
  command_.stdout_fd = command_.stderr_fd = output_out_.get();
}

void bare_vmm::make_pipes(io::vm_description& vm) {
  make_pipe(console_in_, console_out_);
  make_pipe(log_in_, log_out_);
  make_pipe(failures_in_, failures_out_);
  make_pipe(output_in_, output_out_);
  vm.console = console_out_.get();
  vm.log = log_out_.get();
  vm.failures = failures_out_.get();
  vm.control = control_.vmm.get();
}

bare_vmm::~bare_vmm() = default;

bare_vmm::process::~process() {
  if (pid == 0)
    return;
  ::kill(pid, SIGKILL);
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
}

void bare_vmm::let_guest_run() {
  std::erase(command_.argv, "-S");
}

void bare_vmm::spawn() {
  child_.pid = spawn_plan{command_}.run(command_.program);
}

void bare_vmm::wait_for_greeting() const {
  pollfd ready{control_.ours.get(), POLLIN, 0};
  auto bound = std::chrono::duration_cast<std::chrono::milliseconds>(patience);
  if (::poll(&ready, 1, static_cast<int>(bound.count())) != 1)
    throw std::runtime_error("a bare VMM said nothing");
}

/// What QMP answers, with all that it says before; each message ends a line.
std::string bare_vmm::ask_qmp(const std::string& command) const {
  if (::write(control_.ours.get(), command.data(), command.size()) < 0)
    throw std::runtime_error(io::last_failure("QMP").what);
  std::string said;
  while (said.find("\"return\"") == std::string::npos || said.back() != '\n') {
    wait_for_greeting();
    char piece[4096];
    auto got = ::read(control_.ours.get(), piece, sizeof piece);
    if (got <= 0)
      throw std::runtime_error("a bare VMM ended");
    said.append(piece, static_cast<std::size_t>(got));
  }
  return said;
}

void bare_vmm::wait_until_running() const {
  ask_qmp("{\"execute\": \"qmp_capabilities\"}\n");
  while (ask_qmp("{\"execute\": \"query-status\"}\n").find("\"running\": true")
         == std::string::npos) {
  }
}

} // namespace crosvisor::bench
