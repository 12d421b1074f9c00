// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/guest/kernel_listener.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

namespace crosvisor::io {

namespace {

/// How long a host that has no descriptor or memory left is given.
constexpr std::chrono::milliseconds breather{200};

/// What one turn accepts before others have theirs.
constexpr int turn_connections = 64;

bool out_of_resources(int code) {
  return code == EMFILE || code == ENFILE || code == ENOBUFS || code == ENOMEM;
}

class linux_listener final : public kernel_listener,
                             public std::enable_shared_from_this<linux_listener> {
public:
  linux_listener(event_loop& loop, const vsock_calls& calls, std::uint32_t port, unique_fd fd,
                 connection_handler on_connection, loss_handler on_loss)
      : loop_(loop),
        calls_(calls),
        port_(port),
        socket_(loop.context(), fd.get()),
        pause_(loop.context()),
        on_connection_(std::move(on_connection)),
        on_loss_(std::move(on_loss)) {
    (void)fd.release();
  }

  void close() override {
    loop_.post([self = shared_from_this()] { self->end(); });
  }

  void wait() {
    socket_.async_wait(boost::asio::posix::descriptor_base::wait_read,
                       [self = shared_from_this()](const boost::system::error_code& why) {
                         if (!why)
                           self->accept();
                       });
  }

private:
  void accept() {
    for (auto i = 0; i < turn_connections; ++i) {
      vm_cid peer = no_cid;
      auto fd = calls_.accept(socket_.native_handle(), peer);
      if (fd >= 0)
        on_connection_({peer, port_, std::make_shared<unique_fd>(fd)});
      else if (fd == -EAGAIN)
        break;
      else if (out_of_resources(-fd))
        return rest();
      else if (fd != -EINTR && fd != -ECONNABORTED)
        return lose(-fd);
    }
    wait();
  }

  void rest() {
    pause_.expires_after(breather);
    pause_.async_wait([self = shared_from_this()](const boost::system::error_code& why) {
      if (!why && self->socket_.is_open())
        self->wait();
    });
  }

  void lose(int code) {
    auto tell = on_loss_;
    end();
    tell("vsock port " + std::to_string(port_) + ": accept: " + std::strerror(code));
  }

  void end() {
    boost::system::error_code ignored;
    socket_.close(ignored);
    pause_.cancel();
  }

  event_loop& loop_;
  const vsock_calls calls_;
  const std::uint32_t port_;
  boost::asio::posix::stream_descriptor socket_;
  boost::asio::steady_timer pause_;
  const connection_handler on_connection_;
  const loss_handler on_loss_;
};

} // namespace

result<std::shared_ptr<kernel_listener>>
kernel_listener::make(event_loop& loop, const vsock_calls& calls, std::uint32_t port,
                      connection_handler on_connection, loss_handler on_loss) {
  auto fd = calls.listen(port);
  if (fd < 0)
    return failure{-fd, "vsock port " + std::to_string(port) + ": " + std::strerror(-fd)};
  unique_fd socket{fd};
  try {
    auto made = std::make_shared<linux_listener>(loop, calls, port, std::move(socket),
                                                 std::move(on_connection), std::move(on_loss));
    loop.post([made] { made->wait(); });
    return std::shared_ptr<kernel_listener>{made};
  } catch (const boost::system::system_error& error) {
    return failure{error.code().value(), std::string{"epoll: "} + error.what()};
  }
}

} // namespace crosvisor::io
