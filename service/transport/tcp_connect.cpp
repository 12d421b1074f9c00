// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/transport/tcp_connect.hpp"

#include "crosvisor/io/config/printable.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <resolv.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

namespace crosvisor::transport {

namespace {

struct addresses_deleter {
  void operator()(addrinfo* all) const noexcept { ::freeaddrinfo(all); }
};
using addresses = std::unique_ptr<addrinfo, addresses_deleter>;

/// Has this thread's resolver ask each server once, and wait for no longer than `bound` allows.
class hurried_resolver {
public:
  explicit hurried_resolver(std::chrono::milliseconds bound) {
    ready_ = ::res_init() == 0;
    if (!ready_)
      return;
    auto seconds = std::chrono::duration_cast<std::chrono::seconds>(bound).count();
    retrans_ =
      std::exchange(_res.retrans, static_cast<int>(std::clamp<std::int64_t>(seconds / 2, 1, 5)));
    retry_ = std::exchange(_res.retry, 1);
  }
  hurried_resolver(const hurried_resolver&) = delete;
  hurried_resolver& operator=(const hurried_resolver&) = delete;
  ~hurried_resolver() {
    if (ready_) {
      _res.retrans = retrans_;
      _res.retry = retry_;
    }
  }

private:
  bool ready_ = false;
  int retrans_ = 0;
  int retry_ = 0;
};

io::result<addresses> look_up(const std::string& host, std::uint16_t port, const deadline& until) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  hurried_resolver hurry{until.left()};
  auto code = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (code == 0)
    return addresses{found};
  auto why = code == EAI_SYSTEM ? std::strerror(errno) : ::gai_strerror(code);
  return io::failure{code == EAI_SYSTEM ? errno : EHOSTUNREACH,
                     "can't resolve " + io::in_quotes(host) + ": " + why};
}

io::result<io::unique_fd> connect_to(const addrinfo& address, std::chrono::milliseconds bound) {
  io::unique_fd socket{
    ::socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP)};
  if (!socket)
    return io::last_failure("socket");
  // Handshakes are small messages after each other, which Nagle's algorithm would hold back.
  int on = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  if (::connect(socket.get(), address.ai_addr, address.ai_addrlen) == 0)
    return socket;
  if (errno != EINPROGRESS)
    return io::last_failure("can't connect");
  if (!wait_for(socket.get(), POLLOUT, bound))
    return io::failure{ETIMEDOUT, "can't connect: timed out"};
  int error = 0;
  socklen_t size = sizeof(error);
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0)
    return io::last_failure("can't connect");
  if (error != 0)
    return io::failure{error, std::string{"can't connect: "} + std::strerror(error)};
  return socket;
}

} // namespace

std::chrono::milliseconds deadline::left() const {
  auto left = end_ - std::chrono::steady_clock::now();
  return std::max(std::chrono::duration_cast<std::chrono::milliseconds>(left),
                  std::chrono::milliseconds{0});
}

bool wait_for(int socket, short events, std::chrono::milliseconds bound) {
  deadline until{std::min<std::chrono::milliseconds>(bound, std::chrono::hours{1})};
  pollfd one{socket, events, 0};
  int found = 0;
  do
    found = ::poll(&one, 1, static_cast<int>(until.left().count()));
  while (found < 0 && errno == EINTR);
  return found > 0;
}

io::result<io::unique_fd> connect_tcp(const std::string& host, std::uint16_t port,
                                      const deadline& until) {
  auto found = look_up(host, port, until);
  if (!found)
    return found.why();
  auto untried = 0;
  for (auto one = found->get(); one != nullptr; one = one->ai_next)
    ++untried;
  io::failure last{ETIMEDOUT, "can't connect: timed out"};
  for (auto one = found->get(); one != nullptr; one = one->ai_next) {
    // One that does not answer leaves time for the others.
    auto connected = connect_to(*one, until.left() / untried--);
    if (connected)
      return connected;
    last = connected.why();
  }
  return last;
}

} // namespace crosvisor::transport
