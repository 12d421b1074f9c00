// SPDX-License-Identifier: Apache-2.0
#include "connection.hpp"

#include "socket.hpp"
#include "stream.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include <poll.h>
#include <unistd.h>

namespace crosvisor::guest {

namespace {

// Of one step, so that no connection keeps the others waiting.
constexpr int most_rounds = 8;
constexpr std::size_t echo_chunk = 32768;
constexpr int reset_tries = 5;

char buffer[262144];

/// What to do after a read or write that gave nothing.
std::uint32_t wait_for(std::uint32_t events) {
  return errno == EAGAIN || errno == EINTR ? events : connection::over;
}

} // namespace

role parse_role(std::string_view name) {
  if (name == "echo")
    return role::echo;
  if (name == "sink")
    return role::sink;
  if (name == "source")
    return role::source;
  if (name == "deaf")
    return role::deaf;
  return name == "resetter" ? role::resetter : role::none;
}

std::uint32_t connection::step() {
  switch (role_) {
    case role::none: return over;
    case role::echo: return step_echo();
    case role::sink: return step_sink();
    case role::source: return step_source();
    case role::deaf: return 0;
    case role::resetter: return step_resetter();
  }
  return over;
}

std::uint32_t connection::step_echo() {
  for (auto round = 0; round < most_rounds; ++round) {
    if (!flush())
      return over;
    if (has_unsent())
      return EPOLLOUT;
    auto got = ::read(fd_, buffer, echo_chunk);
    if (got < 0)
      return wait_for(EPOLLIN);
    if (got == 0) {
      end();
      return over;
    }
    if (!send(buffer, static_cast<std::size_t>(got)))
      return over;
  }
  return has_unsent() ? EPOLLOUT : EPOLLIN;
}

std::uint32_t connection::step_sink() {
  for (auto round = 0; round < most_rounds && !ended_; ++round) {
    auto got = ::read(fd_, buffer, sizeof buffer);
    if (got < 0)
      return wait_for(EPOLLIN);
    sum_.add(buffer, static_cast<std::size_t>(got));
    if (got > 0)
      continue;
    auto size = std::snprintf(buffer, sizeof buffer, "%llu %016llx\n",
                              static_cast<unsigned long long>(sum_.bytes()),
                              static_cast<unsigned long long>(sum_.value()));
    ended_ = true;
    if (!send(buffer, static_cast<std::size_t>(size)))
      return over;
  }
  if (!ended_)
    return EPOLLIN;
  if (flush() && has_unsent())
    return EPOLLOUT;
  end();
  return over;
}

std::uint32_t connection::step_source() {
  if (!known_) {
    if (auto events = read_request(); events != 0)
      return events;
  }
  if (!ended_) {
    if (auto events = send_requested(); events != 0)
      return events;
  }
  // A close before the host's end would cut short what it has not read yet.
  auto got = ::read(fd_, buffer, sizeof buffer);
  return got > 0 ? std::uint32_t{EPOLLIN} : got == 0 ? over : wait_for(EPOLLIN);
}

std::uint32_t connection::read_request() {
  for (;;) {
    char digit;
    auto got = ::read(fd_, &digit, 1);
    if (got <= 0)
      return got == 0 ? over : wait_for(EPOLLIN);
    if (digit == '\n' && digits_ > 0)
      break;
    if (digit < '0' || digit > '9' || ++digits_ > 18)
      return over;
    target_ = target_ * 10 + static_cast<std::uint64_t>(digit - '0');
  }
  known_ = true;
  return 0;
}

std::uint32_t connection::send_requested() {
  for (auto round = 0; sent_ < target_; ++round) {
    if (round == most_rounds)
      return EPOLLOUT;
    auto size = static_cast<std::size_t>(std::min<std::uint64_t>(pattern::chunk, target_ - sent_));
    auto written = ::write(fd_, shared_pattern().at(sent_).data(), size);
    if (written < 0)
      return wait_for(EPOLLOUT);
    sent_ += static_cast<std::uint64_t>(written);
  }
  end();
  return 0;
}

std::uint32_t connection::step_resetter() {
  if (::read(fd_, buffer, 4096) < 0)
    return wait_for(EPOLLIN);
  // Linux makes no reset of a close: it asks the host to close as well. What it does answer with a
  // reset, at once, is data for which it has no room. So take back what was promised, while the
  // host sends; where it did not just then, let it go on and try again.
  auto broken = [this](int milliseconds) {
    pollfd ended{fd_, POLLRDHUP, 0};
    return ::poll(&ended, 1, milliseconds) > 0;
  };
  for (auto tries = 0; tries < reset_tries; ++tries) {
    resize_buffer(fd_, 1);
    if (broken(20))
      break;
    resize_buffer(fd_, resetter_buffer);
    if (broken(2))
      break;
  }
  return over;
}

bool connection::send(const char* data, std::size_t size) {
  auto written = ::write(fd_, data, size);
  if (written < 0 && wait_for(0) == over)
    return false;
  auto begin = static_cast<std::size_t>(std::max<ssize_t>(written, 0));
  if (begin == size)
    return true;
  unsent_ = std::make_unique<char[]>(size - begin);
  std::copy(data + begin, data + size, unsent_.get());
  unsent_begin_ = 0;
  unsent_size_ = size - begin;
  return true;
}

bool connection::flush() {
  while (has_unsent()) {
    auto written = ::write(fd_, unsent_.get() + unsent_begin_, unsent_size_);
    if (written < 0)
      return wait_for(0) != over;
    unsent_begin_ += static_cast<std::size_t>(written);
    unsent_size_ -= static_cast<std::size_t>(written);
  }
  unsent_.reset();
  return true;
}

void connection::end() {
  ended_ = true;
  ::shutdown(fd_, SHUT_WR);
}

} // namespace crosvisor::guest
