// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/stream/socket_streamer.hpp"

#include "crosvisor/messages/stream_piece.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

namespace crosvisor::io {

namespace {

using boost::asio::posix::descriptor_base;

/// How much is written before on_written is called: a peer that has less than this to put is none
/// that waits.
constexpr std::uint64_t told_bytes = stream_window_bytes / 8;

/// One for all sockets of a loop: nothing stays in it from one turn to the next.
char* turn_buffer() {
  thread_local std::array<char, max_stream_piece_bytes> buffer;
  return buffer.data();
}

bool would_block() {
  return errno == EAGAIN || errno == EINTR;
}

} // namespace

socket_streamer::socket_streamer(const std::shared_ptr<event_loop>& loop,
                                 credited_socket_callbacks callbacks, std::shared_ptr<outflow> to)
    : loop_(*loop),
      loop_while_it_is_there_(loop),
      callbacks_(std::move(callbacks)),
      to_(std::move(to)),
      socket_(loop->context()),
      finish_timer_(loop->context()),
      room_(stream_window_bytes) {}

result<void> socket_streamer::assign(unique_fd socket) {
  boost::system::error_code why;
  socket_.assign(socket.get(), why);
  if (why)
    return failure{why.value(), "stream: " + why.message()};
  (void)socket.release();
  return {};
}

void socket_streamer::post(void (socket_streamer::*what)()) {
  loop_.post([self = shared_from_this(), what] { (*self.*what)(); });
}

// -- from the socket ------------------------------------------------------------

bool socket_streamer::grant(std::uint64_t bytes) {
  auto before = granted_.load();
  do {
    if (bytes > stream_window_bytes || before > stream_window_bytes - bytes)
      return false;
  } while (!granted_.compare_exchange_weak(before, before + bytes));
  post(&socket_streamer::read);
  return true;
}

bool socket_streamer::may_read() {
  if (over_ || read_ended_ || waiting_to_read_ || waiting_for_room_ || granted_ == 0)
    return false;
  if (!to_)
    return true;
  auto there = to_->has_room([self = weak_from_this(), loop = loop_while_it_is_there_] {
    if (auto still = loop.lock())
      still->post([self] {
        if (auto waiting = self.lock()) {
          waiting->waiting_for_room_ = false;
          waiting->read();
        }
      });
  });
  waiting_for_room_ = !there;
  return there;
}

void socket_streamer::read() {
  if (!may_read())
    return;
  auto most = std::min<std::uint64_t>(granted_, max_stream_piece_bytes);
  auto got = ::recv(socket_.native_handle(), turn_buffer(), most, MSG_DONTWAIT);
  if (got < 0 && would_block() && !finish_late_)
    return wait_to_read();
  if (got < 0 && !would_block())
    return end_all(std::strerror(errno));
  if (got <= 0)
    return end_reading();
  auto size = static_cast<std::size_t>(got);
  granted_ -= size;
  if (to_)
    to_->add(size);
  if (!silent_)
    callbacks_.on_piece({turn_buffer(), size}, false);
  // Others have their turn before the next piece.
  post(&socket_streamer::read);
}

void socket_streamer::wait_to_read() {
  waiting_to_read_ = true;
  socket_.async_wait(descriptor_base::wait_read,
                     [self = shared_from_this()](const boost::system::error_code& why) {
                       self->waiting_to_read_ = false;
                       if (!why)
                         self->read();
                     });
}

void socket_streamer::end_reading() {
  read_ended_ = true;
  if (!silent_)
    callbacks_.on_piece({}, true);
  if (finishing_)
    return end_all("");
  end_if_over();
  if (!over_)
    wait_for_hangup();
}

/// The other end may go, and take no more, without a word that would be read.
void socket_streamer::wait_for_hangup() {
  socket_.async_wait(descriptor_base::wait_error,
                     [self = shared_from_this()](const boost::system::error_code& why) {
                       if (why || self->over_)
                         return;
                       pollfd now{self->socket_.native_handle(), 0, 0};
                       if (::poll(&now, 1, 0) > 0)
                         self->end_writing(true);
                       else
                         self->wait_for_hangup();
                     });
}

// -- to the socket ----------------------------------------------------------------

bool socket_streamer::put(std::string bytes, bool last) {
  auto size = bytes.size();
  std::lock_guard lock{mutex_};
  if (put_last_ || size > max_stream_piece_bytes || size > room_ || (size == 0 && !last))
    return false;
  room_ -= size;
  put_last_ = last;
  queue_.push(std::move(bytes));
  if (!std::exchange(will_write_, true))
    post(&socket_streamer::write);
  return true;
}

void socket_streamer::write() {
  while (!over_) {
    std::string_view next;
    bool last = false;
    {
      std::lock_guard lock{mutex_};
      if (write_ended_)
        queue_.clear();
      next = queue_.front();
      last = put_last_;
      will_write_ = !next.empty();
    }
    if (next.empty() && ending_)
      return end_all("");
    if (next.empty())
      return last && !write_ended_ ? end_writing(false) : void();
    // put() never changes the first piece.
    auto sent =
      ::send(socket_.native_handle(), next.data(), next.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && would_block())
      return wait_to_write();
    if (sent < 0)
      end_writing(true);
    else
      count_written(static_cast<std::size_t>(sent));
  }
}

void socket_streamer::wait_to_write() {
  socket_.async_wait(descriptor_base::wait_write,
                     [self = shared_from_this()](const boost::system::error_code& why) {
                       if (!why)
                         self->write();
                     });
}

void socket_streamer::count_written(std::size_t bytes) {
  untold_ += bytes;
  auto tells = untold_ >= told_bytes;
  {
    std::lock_guard lock{mutex_};
    queue_.pop(bytes);
    if (tells)
      room_ += untold_; // Before anybody knows of it.
  }
  if (tells && !silent_)
    callbacks_.on_written(untold_);
  if (tells)
    untold_ = 0;
}

void socket_streamer::end_writing(bool broken) {
  if (std::exchange(write_ended_, true) || over_)
    return;
  hung_up_ = broken;
  if (!broken)
    ::shutdown(socket_.native_handle(), SHUT_WR);
  end_if_over();
}

// -- the end ------------------------------------------------------------------------

void socket_streamer::end() {
  {
    std::lock_guard lock{mutex_};
    put_last_ = true;
    will_write_ = true;
  }
  ending_ = true;
  read_ended_ = true;
  write();
}

void socket_streamer::finish(std::chrono::milliseconds bound) {
  if (over_ || std::exchange(finishing_, true))
    return;
  if (read_ended_)
    return end_all("");
  finish_timer_.expires_after(bound);
  finish_timer_.async_wait([self = shared_from_this()](const boost::system::error_code& why) {
    if (why)
      return;
    self->finish_late_ = true;
    self->waiting_to_read_ = false; // Its end comes with the socket's.
    self->read();
  });
}

void socket_streamer::end_if_over() {
  if (read_ended_ && write_ended_)
    end_all("");
}

void socket_streamer::end_all(const std::string& why) {
  if (std::exchange(over_, true))
    return;
  finish_timer_.cancel();
  boost::system::error_code ignored;
  socket_.close(ignored);
  auto callbacks = std::exchange(callbacks_, {});
  if (!silent_)
    callbacks.on_end(hung_up_, why);
}

} // namespace crosvisor::io
