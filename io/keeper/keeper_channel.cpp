// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/keeper/keeper_channel.hpp"

#include "crosvisor/io/keeper/keeper_protocol.hpp"
#include "crosvisor/io/tickets/descriptor_packet.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <utility>

namespace crosvisor::io {

namespace {

/// Packets that one turn takes before the loop's others have theirs.
constexpr int turn_packets = 16;

struct waiting_packet {
  std::string content;
  std::vector<unique_fd> fds;
};

waiting_packet to_content(keeper_packet packet) {
  waiting_packet made{std::move(packet.text), std::move(packet.fds)};
  if (!packet.bytes.empty()) {
    made.content += '\0';
    made.content += packet.bytes;
  }
  return made;
}

keeper_packet to_packet(descriptor_packet got) {
  keeper_packet packet;
  if (auto nul = got.text.find('\0'); nul != std::string::npos) {
    packet.bytes = got.text.substr(nul + 1);
    got.text.resize(nul);
  }
  packet.text = std::move(got.text);
  if (!got.fds_lost)
    packet.fds = std::move(got.fds);
  return packet;
}

/// How long the next packet is; 0: the end, or none whose content counts.
result<std::size_t> next_length(int socket) {
  auto length = ::recv(socket, nullptr, 0, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);
  if (length < 0)
    return last_failure("keeper socket");
  return static_cast<std::size_t>(length);
}

result<void> send_now(int socket, const waiting_packet& packet) {
  int fds[max_packet_descriptors];
  std::transform(packet.fds.begin(), packet.fds.end(), fds,
                 [](const unique_fd& fd) { return fd.get(); });
  return send_packet(socket, packet.content, fds, packet.fds.size());
}

bool is_packet_socket(int fd) {
  int domain = 0, type = 0;
  socklen_t length = sizeof(int);
  return ::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 && domain == AF_UNIX
         && ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == SOCK_SEQPACKET;
}

/// What the other side said before it went is still to be read: receiving finds the end.
bool other_has_gone(const failure& why) {
  return why.code == EPIPE || why.code == ECONNRESET;
}

/// Told once, by a side that went without reading all; what it said before is still there.
bool passes(const failure& why) {
  return why.code == EINTR || why.code == ECONNRESET;
}

class linux_keeper_channel final : public keeper_channel,
                                   public std::enable_shared_from_this<linux_keeper_channel> {
public:
  linux_keeper_channel(event_loop& loop, handlers told)
      : loop_(loop),
        socket_(loop.context()),
        handlers_(std::make_shared<handlers>(std::move(told))) {}

  result<void> take(unique_fd socket) {
    if (!is_packet_socket(socket.get()))
      return failure{EINVAL, "keeper socket: is no AF_UNIX socket of SOCK_SEQPACKET"};
    // A whole packet fits in any case; as much of this as the host allows.
    int size = 2 * max_keeper_packet_bytes;
    ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    boost::system::error_code why;
    socket_.assign(socket.get(), why);
    if (!why)
      socket_.non_blocking(true, why);
    if (why) {
      if (socket_.is_open())
        socket_.release(); // The caller's to close.
      return failure{why.value(), "keeper socket: " + why.message()};
    }
    (void)socket.release();
    wait_to_receive();
    return {};
  }

  void send(keeper_packet packet) override {
    if (!socket_.is_open())
      return;
    auto one = to_content(std::move(packet));
    if (one.content.empty() || one.content.size() > max_keeper_packet_bytes
        || one.fds.size() > max_packet_descriptors)
      return break_off();
    if (!waiting_.empty())
      return keep(std::move(one));
    auto sent = send_now(socket_.native_handle(), one);
    if (!sent && sent.why().code == EAGAIN) {
      keep(std::move(one));
      return wait_to_send();
    }
    if (!sent && !other_has_gone(sent.why()))
      break_off();
  }

  std::size_t waiting_bytes() const override { return waiting_bytes_; }

  void close() override {
    boost::system::error_code ignored;
    socket_.close(ignored);
    waiting_.clear();
    waiting_bytes_ = waiting_fds_ = 0;
    handlers_.reset();
  }

private:
  void end() {
    auto told = std::exchange(handlers_, nullptr);
    close();
    if (told)
      told->on_end();
  }

  /// The end, but not from within the caller's own call.
  void break_off() {
    auto told = std::exchange(handlers_, nullptr);
    close();
    if (told)
      loop_.post([told = std::move(told)] { told->on_end(); });
  }

  void keep(waiting_packet packet) {
    waiting_bytes_ += packet.content.size();
    waiting_fds_ += packet.fds.size();
    waiting_.push_back(std::move(packet));
    if (waiting_bytes_ > max_waiting_bytes || waiting_fds_ > max_waiting_fds)
      break_off();
  }

  void wait_to_send() {
    socket_.async_wait(boost::asio::posix::descriptor_base::wait_write,
                       [self = shared_from_this()](const boost::system::error_code& why) {
                         if (!why)
                           self->send_waiting();
                       });
  }

  void send_waiting() {
    while (!waiting_.empty()) {
      auto& next = waiting_.front();
      auto sent = send_now(socket_.native_handle(), next);
      if (!sent && sent.why().code == EAGAIN)
        return wait_to_send();
      if (!sent && !other_has_gone(sent.why()))
        return end();
      waiting_bytes_ -= next.content.size();
      waiting_fds_ -= next.fds.size();
      waiting_.pop_front();
    }
    if (auto told = handlers_; told && told->on_drained)
      told->on_drained();
  }

  void wait_to_receive() {
    socket_.async_wait(boost::asio::posix::descriptor_base::wait_read,
                       [self = shared_from_this()](const boost::system::error_code& why) {
                         if (!why)
                           self->receive_some();
                       });
  }

  void receive_some() {
    for (int i = 0; i < turn_packets; ++i) {
      auto length = next_length(socket_.native_handle());
      if (!length && passes(length.why()))
        continue;
      if (!length && length.why().code == EAGAIN)
        break;
      if (!length || *length == 0 || *length > max_keeper_packet_bytes)
        return end();
      auto packet = receive_packet(socket_.native_handle(), *length);
      if (!packet && passes(packet.why()))
        continue;
      if (!packet || packet->text_cut || packet->fds.size() > max_packet_descriptors)
        return end();
      auto told = handlers_; // It may close this channel.
      told->on_packet(to_packet(std::move(*packet)));
      if (!socket_.is_open())
        return;
    }
    wait_to_receive();
  }

  event_loop& loop_;
  boost::asio::posix::stream_descriptor socket_;
  std::shared_ptr<handlers> handlers_; // Null: the end was told, or closed.
  std::deque<waiting_packet> waiting_;
  std::size_t waiting_bytes_ = 0;
  std::size_t waiting_fds_ = 0;
};

} // namespace

result<std::shared_ptr<keeper_channel>> keeper_channel::make(event_loop& loop, unique_fd socket,
                                                             handlers told) {
  auto made = std::make_shared<linux_keeper_channel>(loop, std::move(told));
  if (auto taken = made->take(std::move(socket)); !taken)
    return taken.why();
  return std::shared_ptr<keeper_channel>{std::move(made)};
}

} // namespace crosvisor::io
