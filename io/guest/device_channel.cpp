// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/guest/device_channel.hpp"

#include "crosvisor/io/logging.hpp"
#include "crosvisor/io/received_descriptors.hpp"
#include "crosvisor/io/vsock/service_protocol.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <utility>
#include <vector>

namespace crosvisor::io {

namespace {

using vsock::channel_message;
using vsock::message_kind;

/// What the device gets beyond the bound that it was given, before it counts as stuck.
constexpr std::chrono::seconds answer_slack{2};

/// Messages that one turn takes before other channels have theirs.
constexpr int turn_messages = 64;

struct received {
  channel_message message;
  unique_fd descriptor;
  bool sound = false; ///< One whole message with at most one descriptor.
};

/// recvmsg's own result; negative errno on failure.
long receive(int socket, received& into) {
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * 2)];
  iovec data{&into.message, sizeof(into.message)};
  msghdr header{};
  header.msg_iov = &data;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof(control);
  auto got = ::recvmsg(socket, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (got < 0)
    return -errno;
  std::vector<unique_fd> descriptors;
  take_descriptors(header, descriptors);
  into.sound = got == sizeof(channel_message) && descriptors.size() <= 1
               && (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0;
  if (!descriptors.empty())
    into.descriptor = std::move(descriptors.front());
  return got;
}

class linux_channel final : public device_channel,
                            public std::enable_shared_from_this<linux_channel> {
public:
  linux_channel(event_loop& loop, unique_fd socket, opened_handler on_opened)
      : loop_(loop), socket_(loop.context(), socket.get()), on_opened_(std::move(on_opened)) {
    (void)socket.release();
  }

  void start() {
    loop_.post([self = shared_from_this()] { self->wait(); });
  }

  void listen(std::uint32_t port) override {
    loop_.post([self = shared_from_this(), port] {
      channel_message message;
      message.kind = message_kind::listen;
      message.port = port;
      if (auto code = self->send(message); code != 0 && code != EBADF)
        log::warn("vsock device refuses to serve port {}: {}", port, std::strerror(code));
    });
  }

  void connect(std::uint32_t port, std::chrono::milliseconds bound,
               vmm_process::connection done) override {
    loop_.post([self = shared_from_this(), port, bound, done = std::move(done)]() mutable {
      self->ask(port, bound, std::move(done));
    });
  }

  void close() override {
    loop_.post([self = shared_from_this()] { self->end(); });
  }

private:
  struct question {
    std::uint32_t port;
    vmm_process::connection done;
    std::unique_ptr<boost::asio::steady_timer> deadline;
  };

  int send(const channel_message& message) {
    if (!socket_.is_open())
      return EBADF;
    auto sent =
      ::send(socket_.native_handle(), &message, sizeof(message), MSG_DONTWAIT | MSG_NOSIGNAL);
    return sent < 0 ? errno : 0;
  }

  void ask(std::uint32_t port, std::chrono::milliseconds bound, vmm_process::connection done) {
    channel_message message;
    message.kind = message_kind::connect;
    message.id = next_id_++;
    next_id_ = std::max(next_id_, 1u); // 0 is none.
    message.port = port;
    message.timeout_ms = static_cast<std::uint32_t>(bound.count());
    if (auto code = send(message); code != 0)
      return fail(port, std::move(done), code == EBADF || code == EPIPE ? ENOTCONN : code);
    auto deadline = std::make_unique<boost::asio::steady_timer>(loop_.context());
    deadline->expires_after(bound + answer_slack);
    deadline->async_wait(
      [self = shared_from_this(), id = message.id](const boost::system::error_code& why) {
        if (!why)
          self->give_up(id);
      });
    pending_.emplace(message.id, question{port, std::move(done), std::move(deadline)});
  }

  void give_up(std::uint32_t id) {
    channel_message message;
    message.kind = message_kind::abandon;
    message.id = id;
    send(message);
    answer(id, ETIMEDOUT, {});
  }

  static void fail(std::uint32_t port, vmm_process::connection done, int code) {
    done(failure{code, "port " + std::to_string(port) + ": " + std::strerror(code)});
  }

  void wait() {
    if (!socket_.is_open())
      return;
    socket_.async_wait(boost::asio::posix::descriptor_base::wait_read,
                       [self = shared_from_this()](const boost::system::error_code& why) {
                         if (!why)
                           self->read();
                       });
  }

  void read() {
    for (auto i = 0; i < turn_messages; ++i) {
      received next;
      auto got = receive(socket_.native_handle(), next);
      if (got == -EAGAIN)
        break;
      if (got == -EINTR)
        continue;
      if (got <= 0)
        return end();
      if (!next.sound || !take(next)) {
        log::warn("vsock device speaks nonsense on its channel");
        return end();
      }
    }
    wait();
  }

  bool take(received& got) {
    const auto& message = got.message;
    switch (message.kind) {
      case message_kind::opened:
        if (!got.descriptor)
          return false;
        on_opened_(message.port, std::make_shared<unique_fd>(std::move(got.descriptor)));
        return true;
      case message_kind::connected:
        if (!got.descriptor)
          return false;
        answer(message.id, 0, std::move(got.descriptor));
        return true;
      case message_kind::refused:
        answer(message.id, message.error > 0 ? message.error : EPROTO, {});
        return true;
      default: return false;
    }
  }

  /// An answer to what nobody waits for any more is let go of.
  void answer(std::uint32_t id, int code, unique_fd socket) {
    auto node = pending_.extract(id);
    if (node.empty())
      return;
    auto& asked = node.mapped();
    asked.deadline->cancel();
    if (code != 0)
      return fail(asked.port, std::move(asked.done), code);
    asked.done(std::make_shared<unique_fd>(std::move(socket)));
  }

  void end() {
    boost::system::error_code ignored;
    socket_.close(ignored);
    for (auto& [id, asked] : std::exchange(pending_, {})) {
      asked.deadline->cancel();
      fail(asked.port, std::move(asked.done), ENOTCONN);
    }
  }

  event_loop& loop_;
  boost::asio::posix::stream_descriptor socket_;
  const opened_handler on_opened_;
  std::uint32_t next_id_ = 1;
  std::map<std::uint32_t, question> pending_;
};

} // namespace

result<std::shared_ptr<device_channel>> device_channel::make(event_loop& loop, unique_fd socket,
                                                             opened_handler on_opened) {
  try {
    auto made = std::make_shared<linux_channel>(loop, std::move(socket), std::move(on_opened));
    made->start();
    return std::shared_ptr<device_channel>{made};
  } catch (const boost::system::system_error& error) {
    return failure{error.code().value(), std::string{"epoll: "} + error.what()};
  }
}

result<std::pair<unique_fd, unique_fd>> make_device_pair() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    return last_failure("vsock device's channel");
  return std::pair{unique_fd{ends[0]}, unique_fd{ends[1]}};
}

} // namespace crosvisor::io
