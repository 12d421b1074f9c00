// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/bench/reference_guest.hpp"

#include "crosvisor/bench/console.hpp"
#include "crosvisor/bench/measure.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <csignal>
#include <thread>

namespace crosvisor::bench {

namespace {

pid_t spawn(const std::vector<std::string>& words) {
  std::vector<char*> argv;
  for (const auto& word : words)
    argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t pid = 0;
  errno = ::posix_spawn(&pid, argv[0], &actions, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (errno != 0)
    throw std::runtime_error(io::last_failure(words[0]).what);
  return pid;
}

} // namespace

reference_guest::reference_guest(const std::string& program, demo_guest guest, const vmm_info& qemu,
                                 accel_kind accel)
    : device_(spawn({program, "--guest-cid", "33", "--socket", folder_ / "vhost-user", "--uds-path",
                     folder_ / "vsock"})),
      vhost_user_(connect_to("vhost-user")),
      driver_(io::make_qemu_driver(qemu)) {
  vmm_ = std::make_unique<bare_vmm>(*driver_, guest.config, accel, std::move(guest.files),
                                    vhost_user_->get());
  vmm_->let_guest_run();
  vmm_->spawn();
  vhost_user_ = nullptr;
  wait_for_line(vmm_->console(), "ready");
}

reference_guest::~reference_guest() {
  vmm_ = nullptr;
  ::kill(device_, SIGKILL);
  while (::waitpid(device_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

std::shared_ptr<io::unique_fd> reference_guest::connect_to(const std::string& name) const {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  (folder_ / name).copy(address.sun_path, sizeof(address.sun_path) - 1);
  for (auto until = now_ns() + std::chrono::nanoseconds{patience}.count(); now_ns() < until;) {
    auto fd = std::make_shared<io::unique_fd>(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (::connect(fd->get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0)
      return fd;
    // The program makes its sockets soon after its start, and tells nobody when.
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
  }
  throw std::runtime_error("the reference device can't be reached");
}

tests::guest_stream reference_guest::connect(std::uint32_t port) const {
  tests::guest_stream stream{connect_to("vsock")};
  stream.send("CONNECT " + std::to_string(port) + '\n');
  std::string answer;
  while (answer.find('\n') == answer.npos)
    if (auto next = stream.receive(1); next.empty())
      throw std::runtime_error("the reference device refuses a connection");
    else
      answer += next;
  return stream;
}

} // namespace crosvisor::bench
