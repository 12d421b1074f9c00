// SPDX-License-Identifier: Apache-2.0
// A descriptor door, clients of it that say what they like, and other users' processes.
#pragma once

#include "crosvisor/io/tickets/descriptor_channel.hpp"
#include "crosvisor/io/tickets/descriptor_door.hpp"
#include "crosvisor/io/tickets/descriptor_packet.hpp"
#include "crosvisor/io/tickets/descriptor_request.hpp"
#include "crosvisor/tests/io/leftovers.hpp"
#include "crosvisor/tests/io/temp_dir.hpp"

#include <caf/test/dsl.hpp>

#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <functional>
#include <string>
#include <vector>

namespace crosvisor::tests {

using io::unique_fd;

struct pipe_ends {
  unique_fd reader, writer;

  pipe_ends() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0)
      throw std::runtime_error("pipe2");
    reader.reset(ends[0]);
    writer.reset(ends[1]);
  }
};

inline bool happens(int fd, short events) {
  pollfd waited{fd, events, 0};
  auto bound = std::chrono::milliseconds{patience};
  return ::poll(&waited, 1, static_cast<int>(bound.count())) == 1;
}

/// Waits until nobody holds the other end any more.
inline bool is_let_go(const pipe_ends& of) {
  pollfd waited{of.reader.get(), 0, 0};
  auto bound = std::chrono::milliseconds{patience};
  return ::poll(&waited, 1, static_cast<int>(bound.count())) == 1
         && (waited.revents & POLLHUP) != 0;
}

inline bool is_same_file(int a, int b) {
  struct stat one, other;
  return ::fstat(a, &one) == 0 && ::fstat(b, &other) == 0 && one.st_ino == other.st_ino
         && one.st_dev == other.st_dev;
}

/// A TCP connection whose close(2) waits until its other end, `peer`, is closed.
struct slow_to_close {
  unique_fd own, peer;

  slow_to_close() {
    unique_fd listener{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address);
    auto* at = reinterpret_cast<sockaddr*>(&address);
    own.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (::bind(listener.get(), at, length) != 0 || ::listen(listener.get(), 1) != 0
        || ::getsockname(listener.get(), at, &length) != 0 || ::connect(own.get(), at, length) != 0)
      throw std::runtime_error("loopback");
    peer.reset(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    linger wait{1, 60};
    ::setsockopt(own.get(), SOL_SOCKET, SO_LINGER, &wait, sizeof(wait));
    std::array<char, 65'536> bytes{};
    while (::send(own.get(), bytes.data(), bytes.size(), MSG_DONTWAIT) > 0)
      ;
  }
};

/// Runs `work` in a child with that uid (and gid), and returns what it returned, 0 to 99; or -1.
class child_of {
public:
  child_of(uid_t uid, const std::function<int()>& work) : pid_(::fork()) {
    if (pid_ != 0)
      return;
    auto changes = uid != ::geteuid();
    if (changes && (::setgroups(0, nullptr) != 0 || ::setgid(uid) != 0 || ::setuid(uid) != 0))
      ::_exit(100);
    ::_exit(work());
  }
  child_of(const child_of&) = delete;
  child_of& operator=(const child_of&) = delete;
  ~child_of() { result(); }

  pid_t pid() const { return pid_; }

  int result() {
    int status = -1;
    if (pid_ > 0 && ::waitpid(std::exchange(pid_, -1), &status, 0) > 0)
      result_ = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return result_;
  }

private:
  pid_t pid_;
  int result_ = -1;
};

/// Whether this process may become others; says so if not.
inline bool may_change_uid() {
  if (::geteuid() != 0)
    CAF_MESSAGE("SKIPPED: only root can be another user");
  return ::geteuid() == 0;
}

inline void say(int socket, std::string text, const std::vector<int>& fds = {}) {
  alignas(cmsghdr) char control[CMSG_SPACE(253 * sizeof(int))] = {};
  iovec part{text.data(), text.size()};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  if (!fds.empty()) {
    header.msg_control = control;
    header.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
    auto* rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
    std::memcpy(CMSG_DATA(rights), fds.data(), fds.size() * sizeof(int));
  }
  (void)::sendmsg(socket, &header, MSG_NOSIGNAL);
}

/// The next answer; "(end)" when the connection is over, "(silence)" when nothing comes.
inline std::string hear(int socket) {
  if (!happens(socket, POLLIN))
    return "(silence)";
  auto packet = io::receive_packet(socket, io::max_answer_bytes);
  if (!packet && packet.why().code == ECONNRESET) // Told once, before what came last.
    packet = io::receive_packet(socket, io::max_answer_bytes);
  return packet && !packet->text.empty() ? packet->text : "(end)";
}

inline std::string ask(int socket, const std::string& text, const std::vector<int>& fds = {}) {
  say(socket, text, fds);
  return hear(socket);
}

struct door_fixture {
  temp_dir dir;
  std::string path = dir / "descriptors";
  holdings before;
  std::shared_ptr<io::ticket_store> tickets = io::ticket_store::make({});
  io::descriptor_door_options options;
  std::unique_ptr<io::descriptor_door> door;

  door_fixture() { ::chmod(dir.path().c_str(), 0755); }

  static unique_fd listen_at(const std::string& path, int backlog = 512) {
    unique_fd listening{::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)};
    auto address = address_of(path);
    ::unlink(path.c_str());
    auto* at = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listening.get(), at, sizeof(address)) != 0
        || ::listen(listening.get(), backlog) != 0)
      throw std::runtime_error("listen");
    ::chmod(path.c_str(), 0666);
    return listening;
  }

  static sockaddr_un address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::copy(path.begin(), path.end(), address.sun_path);
    return address;
  }

  void open() {
    options.tickets = tickets;
    auto opened = io::descriptor_door::open(listen_at(path), options);
    CAF_REQUIRE(opened);
    door = std::move(*opened);
  }

  /// Nothing is left once all is closed.
  void check_nothing_left() {
    door = nullptr;
    tickets = nullptr;
    options = {};
    holdings after;
    CAF_CHECK_EQUAL(to_string(after), to_string(before));
  }

  unique_fd connect() const {
    unique_fd socket{::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)};
    auto address = address_of(path);
    ::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address));
    return socket;
  }

  io::result<io::descriptor_channel> channel(std::chrono::milliseconds bound = patience) const {
    return io::descriptor_channel::connect(path, bound);
  }

  static caller self_as_client() {
    caller who;
    who.kind = caller_kind::socket;
    who.uid = ::geteuid();
    who.pid = ::getpid();
    return who;
  }

  /// The service's half: what a client left under that ticket.
  unique_fd left(const ticket& of, const caller& who = self_as_client()) const {
    auto taken = tickets->take(of, who, io::ticket_store::direction::to_service);
    return taken ? std::move(*taken) : unique_fd{};
  }

  /// Whether a good client is served, whatever else goes on.
  bool serves() const {
    auto client = connect();
    pipe_ends pipe;
    auto answer = ask(client.get(), "put", {pipe.writer.get()});
    return answer.size() == 2 + 33 && left(answer.substr(3));
  }
};

} // namespace crosvisor::tests
