// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/keeper/keeper_visitors.hpp"

#include "crosvisor/io/listening_socket.hpp"
#include "crosvisor/io/logging.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <utility>

namespace crosvisor::io {

namespace {

using boost::system::error_code;

/// Until a visitor is tried again whom the host has no descriptor for.
constexpr std::chrono::milliseconds retry_pause{100};

bool is_own_user(int socket) {
  ucred peer{};
  socklen_t length = sizeof(peer);
  return ::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0
         && peer.uid == ::geteuid();
}

class linux_visitors final : public keeper_visitors,
                             public std::enable_shared_from_this<linux_visitors> {
public:
  linux_visitors(event_loop& loop, unix_listener file, std::function<void(unique_fd)> on_visitor)
      : file_(std::move(file)),
        socket_(loop.context()),
        pause_(loop.context()),
        on_visitor_(std::move(on_visitor)) {}

  result<void> begin() {
    auto listening = file_.take();
    error_code why;
    socket_.assign(listening.get(), why);
    if (why)
      return failure{why.value(), "keeper socket: " + why.message()};
    (void)listening.release();
    return {};
  }

  void wait() override {
    if (std::exchange(waiting_, true))
      return;
    socket_.async_wait(boost::asio::posix::descriptor_base::wait_read,
                       [weak = weak_from_this()](const error_code& why) {
                         if (auto self = weak.lock(); self && !why)
                           self->take();
                       });
  }

  result<void> rename(const std::string& name) override { return file_.rename(name); }

private:
  void take() {
    waiting_ = false;
    unique_fd taken{
      ::accept4(socket_.native_handle(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)};
    if (taken && is_own_user(taken.get()))
      return on_visitor_(std::move(taken));
    if (taken)
      log::warn("a process of another user came to a keeper");
    if (!taken && errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
      return rest(); // No descriptors, perhaps: it would be there again at once.
    wait();
  }

  void rest() {
    waiting_ = true;
    pause_.expires_after(retry_pause);
    pause_.async_wait([weak = weak_from_this()](const error_code& why) {
      auto self = weak.lock();
      if (!self || why)
        return;
      self->waiting_ = false;
      self->wait();
    });
  }

  unix_listener file_;
  boost::asio::posix::stream_descriptor socket_;
  boost::asio::steady_timer pause_;
  std::function<void(unique_fd)> on_visitor_;
  bool waiting_ = false;
};

} // namespace

result<std::shared_ptr<keeper_visitors>>
keeper_visitors::make(event_loop& loop, const std::string& path,
                      std::function<void(unique_fd)> on_visitor) {
  auto file = unix_listener::open({path, SOCK_SEQPACKET, 0600, std::nullopt});
  if (!file)
    return file.why();
  auto made = std::make_shared<linux_visitors>(loop, std::move(*file), std::move(on_visitor));
  if (auto begun = made->begin(); !begun)
    return begun.why();
  return std::shared_ptr<keeper_visitors>{std::move(made)};
}

} // namespace crosvisor::io
