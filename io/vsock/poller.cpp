// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/vsock/poller.hpp"

namespace crosvisor::io::vsock {

namespace {

bool control(int poll, int operation, int fd, std::uint32_t events, std::uint64_t token) noexcept {
  epoll_event event{};
  event.events = events;
  event.data.u64 = token;
  return ::epoll_ctl(poll, operation, fd, &event) == 0;
}

} // namespace

result<poller> poller::make() {
  unique_fd fd{::epoll_create1(EPOLL_CLOEXEC)};
  if (!fd)
    return last_failure("epoll_create1");
  return poller{std::move(fd)};
}

bool poller::add(int fd, std::uint32_t events, std::uint64_t token) noexcept {
  return control(fd_.get(), EPOLL_CTL_ADD, fd, events, token);
}

bool poller::modify(int fd, std::uint32_t events, std::uint64_t token) noexcept {
  return control(fd_.get(), EPOLL_CTL_MOD, fd, events, token);
}

void poller::remove(int fd) noexcept {
  control(fd_.get(), EPOLL_CTL_DEL, fd, 0, 0);
}

std::span<const epoll_event> poller::wait(std::chrono::milliseconds timeout) noexcept {
  auto count = ::epoll_wait(fd_.get(), events_.data(), static_cast<int>(events_.size()),
                            static_cast<int>(timeout.count()));
  return {events_.data(), count < 0 ? 0 : static_cast<std::size_t>(count)};
}

} // namespace crosvisor::io::vsock
