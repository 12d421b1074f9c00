// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/tests/service/transport/server_process.hpp"

#include "crosvisor/tests/io/leftovers.hpp"
#include "crosvisor/tests/io/temp_dir.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <sstream>
#include <stdexcept>

namespace crosvisor::tests {

io::unique_fd listen_at(const std::string& path, int waiting) {
  io::unique_fd socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
  if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0
      || ::listen(socket.get(), waiting) != 0)
    throw std::runtime_error("bind " + path);
  return socket;
}

server_process::server_process(const std::string& program, const io::unique_fd& listening,
                               const std::vector<std::string>& arguments) {
  // Lifted above what they become in the child, so that dup2 clears CLOEXEC.
  io::unique_fd lifted{::fcntl(listening.get(), F_DUPFD_CLOEXEC, 10)};
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0)
    throw std::runtime_error("pipe2");
  io::unique_fd output{ends[0]};
  input_.reset(ends[1]);
  io::unique_fd lifted_output{::fcntl(output.get(), F_DUPFD_CLOEXEC, 10)};
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, lifted_output.get(), STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, lifted.get(), 3);
  std::vector<char*> argv{const_cast<char*>(program.c_str())};
  for (const auto& argument : arguments)
    argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  auto failed = ::posix_spawn(&pid_, program.c_str(), &actions, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (failed != 0)
    throw std::runtime_error(program + ": " + std::strerror(failed));
}

server_process::~server_process() {
  if (pid_ > 0 && alive()) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, &status_, 0);
  }
}

bool server_process::alive() {
  if (pid_ > 0 && ::waitpid(pid_, &status_, WNOHANG) == pid_)
    pid_ = -1;
  return pid_ > 0;
}

std::size_t server_process::status_kib(const std::string& name) const {
  std::istringstream status{read_file("/proc/" + std::to_string(pid_) + "/status")};
  for (std::string line; std::getline(status, line);)
    if (line.compare(0, name.size(), name) == 0)
      return std::stoul(line.substr(name.size()));
  return 0;
}

std::size_t server_process::memory_kib() const {
  return status_kib("VmRSS:");
}

std::size_t server_process::most_memory_kib() const {
  return status_kib("VmHWM:");
}

void server_process::forget_most_memory() const {
  // proc(5): clear_refs.
  std::ofstream{"/proc/" + std::to_string(pid_) + "/clear_refs"} << "5";
}

std::size_t server_process::descriptors() const {
  std::filesystem::directory_iterator open{"/proc/" + std::to_string(pid_) + "/fd"};
  return static_cast<std::size_t>(std::distance(begin(open), end(open)));
}

std::size_t server_process::cpu_ticks() const {
  // proc(5): utime and stime are the 14th and 15th, the 2nd is in parentheses.
  auto stat = read_file("/proc/" + std::to_string(pid_) + "/stat");
  std::istringstream fields{stat.substr(stat.rfind(')') + 1)};
  std::string skipped;
  for (int i = 0; i < 11; ++i)
    fields >> skipped;
  std::size_t user = 0;
  std::size_t system = 0;
  fields >> user >> system;
  return user + system;
}

int server_process::stop() {
  input_.reset();
  io::unique_fd ended{static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0))};
  pollfd wait{ended.get(), POLLIN, 0};
  if (::poll(&wait, 1, static_cast<int>(patience.count()) * 1000) != 1)
    return -1;
  ::waitpid(pid_, &status_, 0);
  pid_ = -1;
  return status_;
}

std::string program_folder() {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path().string();
}

} // namespace crosvisor::tests
