// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/guest/payload_output.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

namespace crosvisor::io {

namespace {

constexpr std::size_t turn_bytes = 64u << 10;

/// One for all outputs of a loop: nothing stays in it from one turn to the next.
char* turn_buffer() {
  thread_local std::vector<char> buffer(turn_bytes);
  return buffer.data();
}

constexpr auto readable = boost::asio::posix::descriptor_base::wait_read;
constexpr auto writable = boost::asio::posix::descriptor_base::wait_write;

} // namespace

payload_output::payload_output(event_loop& loop, std::size_t kept_bytes, std::size_t reread_bytes)
    : loop_(loop), window_(kept_bytes, reread_bytes), source_(loop.context()) {}

// -- the guest's side ---------------------------------------------------------------

void payload_output::take(const stream_socket& socket) {
  if (finishing_ || queue_.size() >= max_output_connections)
    return; // Closed with its last holder.
  queue_.push_back(std::move(*socket));
  if (!source_.is_open())
    next_source();
}

void payload_output::next_source() {
  while (!source_.is_open() && !queue_.empty()) {
    boost::system::error_code why;
    source_.assign(queue_.front().get(), why);
    if (!why)
      (void)queue_.front().release();
    queue_.erase(queue_.begin());
  }
  if (source_.is_open())
    return wait_for_source();
  check_finished();
}

void payload_output::wait_for_source() {
  if (source_waiting_ || !source_.is_open())
    return;
  if (window_.room() == 0 && !finishing_)
    return; // Until a reader has read.
  source_waiting_ = true;
  source_.async_wait(readable, [self = shared_from_this()](const boost::system::error_code& why) {
    self->source_waiting_ = false;
    if (!why)
      self->read_source();
  });
}

void payload_output::read_source() {
  auto most = finishing_ ? turn_bytes : std::min(turn_bytes, window_.room());
  if (most == 0)
    return;
  auto got = ::recv(source_.native_handle(), turn_buffer(), most, MSG_DONTWAIT);
  if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
    return end_of_source();
  if (got > 0) {
    window_.add({turn_buffer(), static_cast<std::size_t>(got)});
    serve_all();
  }
  wait_for_source();
}

void payload_output::end_of_source() {
  boost::system::error_code ignored;
  source_.close(ignored);
  next_source();
}

void payload_output::finish(std::function<void()> done) {
  finishing_ = true;
  done_ = std::move(done);
  wait_for_source(); // It may have waited for a reader.
  check_finished();
}

void payload_output::cut() {
  queue_.clear();
  boost::system::error_code ignored;
  source_.close(ignored);
  check_finished();
}

void payload_output::check_finished() {
  if (!finishing_ || over_ || source_.is_open() || !queue_.empty())
    return;
  over_ = true;
  if (auto done = std::exchange(done_, nullptr))
    done();
  serve_all();
  check_unread();
}

void payload_output::when_unread(std::function<void()> done) {
  unread_ = std::move(done);
  check_unread();
}

void payload_output::check_unread() {
  if (over_ && chunk_readers_.empty() && socket_readers_.empty())
    if (auto done = std::exchange(unread_, nullptr))
      done();
}

void payload_output::let_go() {
  auto finished = over_;
  finishing_ = over_ = true;
  done_ = unread_ = nullptr;
  chunk_readers_.clear();
  cut();
  if (finished)
    return; // Each goes with its last byte.
  boost::system::error_code ignored;
  for (auto& [reader, to] : std::exchange(socket_readers_, {}))
    to->socket.close(ignored); // What it waits for holds it.
}

// -- the readers' side ----------------------------------------------------------------

void payload_output::add_socket_reader(reader_id reader, unique_fd socket) {
  boost::system::error_code why;
  descriptor own{loop_.context()};
  own.assign(socket.get(), why);
  if (why)
    return; // Its reader finds an early end.
  (void)socket.release();
  window_.add_reader(reader);
  socket_readers_.emplace(reader,
                          std::make_shared<socket_reader>(socket_reader{std::move(own), false}));
  serve(reader);
}

void payload_output::add_chunk_reader(reader_id reader, guest_streams::chunk_handler handler) {
  window_.add_reader(reader);
  chunk_readers_.emplace(reader, chunk_reader{std::move(handler), 0});
}

void payload_output::grant(reader_id reader, std::uint64_t bytes) {
  auto i = chunk_readers_.find(reader);
  if (i == chunk_readers_.end())
    return;
  auto& credit = i->second.credit;
  credit = bytes > UINT64_MAX - credit ? UINT64_MAX : credit + bytes;
  serve(reader);
  wait_for_source();
}

void payload_output::remove_reader(reader_id reader) {
  end_reader(reader);
  wait_for_source();
}

void payload_output::end_reader(reader_id reader) {
  window_.remove_reader(reader);
  chunk_readers_.erase(reader);
  socket_readers_.erase(reader);
  check_unread();
}

bool payload_output::is_over(reader_id reader) const {
  return over_ && window_.has_read_all(reader);
}

void payload_output::serve_all() {
  std::vector<reader_id> all;
  for (const auto& [reader, to] : chunk_readers_)
    all.push_back(reader);
  for (const auto& [reader, to] : socket_readers_)
    all.push_back(reader);
  for (auto reader : all)
    serve(reader);
}

void payload_output::serve(reader_id reader) {
  if (auto i = chunk_readers_.find(reader); i != chunk_readers_.end())
    return serve_chunks(reader, i->second);
  auto i = socket_readers_.find(reader);
  if (i != socket_readers_.end() && !i->second->waiting && !serve_socket(reader, *i->second))
    end_reader(reader);
}

void payload_output::serve_chunks(reader_id reader, chunk_reader& to) {
  while (to.credit > 0) {
    auto piece = window_.next(reader, std::min<std::uint64_t>(to.credit, turn_bytes));
    if (piece.bytes.empty())
      break;
    to.credit -= piece.bytes.size();
    auto length = piece.bytes.size();
    output_chunk chunk{piece.offset, std::string{piece.bytes}, piece.missed, false};
    window_.advance(reader, length);
    chunk.last = is_over(reader);
    to.handler(std::move(chunk));
    if (is_over(reader))
      return end_reader(reader);
  }
  if (!is_over(reader))
    return;
  to.handler({window_.next(reader, 0).offset, {}, 0, true});
  end_reader(reader);
}

/// False once it is over with this reader.
bool payload_output::serve_socket(reader_id reader, socket_reader& to) {
  for (;;) {
    auto piece = window_.next(reader, turn_bytes);
    if (piece.missed > 0 && piece.offset != piece.missed)
      return false; // It fell behind; a stream with a hole in it would be worse than an early end.
    if (piece.bytes.empty())
      return !is_over(reader);
    auto sent = ::send(to.socket.native_handle(), piece.bytes.data(), piece.bytes.size(),
                       MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR)
      continue;
    if (sent < 0 && errno != EAGAIN)
      return false;
    if (sent < 0)
      break;
    window_.advance(reader, static_cast<std::size_t>(sent));
  }
  auto own = socket_readers_.at(reader);
  own->waiting = true;
  own->socket.async_wait(
    writable, [self = shared_from_this(), own, reader](const boost::system::error_code& why) {
      own->waiting = false;
      if (why || self->socket_readers_.count(reader) == 0)
        return;
      self->serve(reader);
      self->wait_for_source();
    });
  return true;
}

} // namespace crosvisor::io
