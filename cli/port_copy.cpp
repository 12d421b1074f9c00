// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/port_copy.hpp"

#include "crosvisor/cli/descriptor_copy.hpp"
#include "crosvisor/io/blocked_signals.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <memory>
#include <thread>
#include <utility>

namespace crosvisor::cli {

namespace {

constexpr std::size_t piece_bytes = 64 << 10;

std::string problem_with(const char* what) {
  return std::string{what} + ": "
         + (errno == EPIPE ? "nobody reads it any more" : std::strerror(errno));
}

/// What both ways have in common; the thread that reads the input may outlive the copy.
struct both_ways {
  int in = -1;
  io::unique_fd socket;
  io::unique_fd sent; ///< Readable once the input has ended.

  /// The way to the guest. Its loss is heard on the way back.
  void send() {
    std::vector<char> buffer(piece_bytes);
    for (ssize_t n; (n = read_some(in, buffer)) > 0;) {
      if (!write_whole(socket.get(), {buffer.data(), static_cast<std::size_t>(n)}))
        break;
    }
    ::shutdown(socket.get(), SHUT_WR);
    std::uint64_t one = 1;
    while (::write(sent.get(), &one, sizeof one) < 0 && errno == EINTR) {
    }
  }

  /// The way back.
  std::string receive(int out) const {
    std::vector<char> buffer(piece_bytes);
    for (;;) {
      auto n = read_some(socket.get(), buffer);
      if (n == 0)
        return "";
      if (n < 0)
        return problem_with("the connection to the guest");
      if (!write_whole(out, {buffer.data(), static_cast<std::size_t>(n)}))
        return problem_with("standard output");
    }
  }

  /// Until the input has ended, or nobody is there to take more of it.
  void await_sent() const {
    std::array<pollfd, 2> fds{{{socket.get(), 0, 0}, {sent.get(), POLLIN, 0}}};
    while (::poll(fds.data(), fds.size(), -1) < 0 && errno == EINTR) {
    }
  }
};

/// Whoever reads it finds its end.
void end_output(int out) {
  io::unique_fd null{::open("/dev/null", O_WRONLY | O_CLOEXEC)};
  if (null)
    ::dup2(null.get(), out);
}

} // namespace

std::string copy_both_ways(int in, int out, io::unique_fd socket) {
  auto ways = std::make_shared<both_ways>();
  ways->in = in;
  ways->socket = std::move(socket);
  ways->sent.reset(::eventfd(0, EFD_CLOEXEC));
  if (!ways->sent)
    return std::string{"eventfd: "} + std::strerror(errno);
  {
    io::blocked_signals inherited_by_the_thread;
    std::thread{[ways] { ways->send(); }}.detach();
  }
  auto problem = ways->receive(out);
  if (!problem.empty())
    return problem;
  end_output(out);
  ways->await_sent();
  return "";
}

} // namespace crosvisor::cli
