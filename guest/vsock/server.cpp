// SPDX-License-Identifier: Apache-2.0
#include "server.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>

#include <unistd.h>

namespace crosvisor::guest {

bool server::listen(role what, std::uint32_t port) {
  if (epoll_ < 0)
    epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  if (listener_count_ == most_listeners) {
    errno = ENOSPC;
    return false;
  }
  auto fd = listen_on(port, what == role::resetter ? resetter_buffer : 0);
  if (fd < 0)
    return false;
  listeners_[listener_count_++] = {what, fd};
  watch(fd, EPOLLIN, EPOLL_CTL_ADD);
  return true;
}

void server::run() {
  epoll_event events[64];
  for (;;) {
    auto count = ::epoll_wait(epoll_, events, 64, -1);
    if (count < 0 && errno != EINTR)
      return;
    for (auto i = 0; i < count; ++i) {
      auto fd = events[i].data.fd;
      const listener* from = nullptr;
      for (auto at = 0; at < listener_count_; ++at) {
        if (listeners_[at].fd == fd)
          from = &listeners_[at];
      }
      if (from != nullptr) {
        accept_all(*from);
      } else {
        advance(fd, events[i].events);
      }
    }
  }
}

void server::accept_all(const listener& from) {
  for (;;) {
    auto fd = ::accept4(from.fd, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
      return;
    if (fd >= most_descriptors) {
      ::close(fd);
      continue;
    }
    connections_[fd] = std::make_unique<connection>(fd, from.what);
    watch(fd, from.what == role::deaf ? 0u : std::uint32_t{EPOLLIN}, EPOLL_CTL_ADD);
  }
}

void server::advance(int fd, std::uint32_t events) {
  auto wanted = connections_[fd]->step();
  auto broken = (events & (EPOLLERR | EPOLLHUP)) != 0;
  // Who waits for nothing would be told of that for ever.
  if (wanted == connection::over || (wanted == 0 && broken)) {
    connections_[fd] = nullptr;
    ::close(fd);
    return;
  }
  watch(fd, wanted, EPOLL_CTL_MOD);
}

void server::watch(int fd, std::uint32_t events, int operation) {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  ::epoll_ctl(epoll_, operation, fd, &event);
}

} // namespace crosvisor::guest
