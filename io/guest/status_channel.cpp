// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/guest/status_channel.hpp"

#include "crosvisor/io/guest/status_line.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>

#include <sys/socket.h>

#include <cerrno>
#include <utility>

namespace crosvisor::io {

struct status_channel::connection {
  explicit connection(event_loop& loop) : socket(loop.context()) {}

  boost::asio::posix::stream_descriptor socket;
  std::string rest; ///< A line that is not whole yet.
};

status_channel::status_channel(event_loop& loop, stream_callbacks callbacks)
    : loop_(loop), callbacks_(std::move(callbacks)) {}

void status_channel::take(const stream_socket& socket) {
  if (finishing_ || lines_ >= max_status_lines || connections_.size() >= max_status_connections)
    return; // Closed with its last holder.
  auto made = std::make_shared<connection>(loop_);
  boost::system::error_code why;
  made->socket.assign(socket->get(), why);
  if (why)
    return;
  (void)socket->release();
  connections_.insert(made);
  wait(made);
}

void status_channel::wait(const std::shared_ptr<connection>& from) {
  from->socket.async_wait(boost::asio::posix::descriptor_base::wait_read,
                          [self = shared_from_this(), from](const boost::system::error_code& why) {
                            if (!why)
                              self->read(from);
                          });
}

void status_channel::read(const std::shared_ptr<connection>& from) {
  char buffer[max_status_line_bytes];
  auto got = ::recv(from->socket.native_handle(), buffer, sizeof(buffer), MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR))
    return wait(from);
  if (got <= 0)
    return end(from);
  from->rest.append(buffer, static_cast<std::size_t>(got));
  if (!take_lines(*from))
    return end(from);
  wait(from);
}

bool status_channel::take_lines(connection& from) {
  std::size_t begin = 0;
  for (auto feed = from.rest.find('\n'); feed != std::string::npos;
       feed = from.rest.find('\n', begin)) {
    if (++lines_ > max_status_lines) {
      complain("more than " + std::to_string(max_status_lines) + " status lines");
      return false;
    }
    auto status = parse_status_line(std::string_view{from.rest}.substr(begin, feed - begin));
    if (!status) {
      complain(status.why().what);
      return false;
    }
    if (callbacks_.on_status)
      callbacks_.on_status(std::move(*status));
    begin = feed + 1;
  }
  from.rest.erase(0, begin);
  if (from.rest.size() <= max_status_line_bytes)
    return true;
  complain("status line: longer than 4096 bytes");
  return false;
}

/// Once: what follows would be of the guest's making, as many times as it likes.
void status_channel::complain(std::string what) {
  if (!std::exchange(complained_, true) && callbacks_.on_bad_status)
    callbacks_.on_bad_status(std::move(what));
}

void status_channel::end(const std::shared_ptr<connection>& from) {
  boost::system::error_code ignored;
  from->socket.close(ignored);
  connections_.erase(from);
  check_finished();
}

void status_channel::finish(std::function<void()> done) {
  finishing_ = true;
  done_ = std::move(done);
  check_finished();
}

void status_channel::cut() {
  boost::system::error_code ignored;
  for (const auto& one : std::exchange(connections_, {}))
    one->socket.close(ignored);
  check_finished();
}

void status_channel::check_finished() {
  if (finishing_ && connections_.empty())
    if (auto done = std::exchange(done_, nullptr))
      done();
}

void status_channel::let_go() {
  finishing_ = true;
  done_ = nullptr;
  callbacks_ = {};
  cut();
}

} // namespace crosvisor::io
