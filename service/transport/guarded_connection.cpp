// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/transport/guarded_connection.hpp"

#include "crosvisor/service/transport/guarded_broker.hpp"

#include <caf/io/network/default_multiplexer.hpp>

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <utility>

namespace crosvisor::transport {

namespace {

/// A buffer that grew beyond this is let go once it is empty.
constexpr std::size_t kept_buffer_bytes = 64u << 10;

/// Between signs of life, however patient this side is; the other one may be less so.
constexpr std::chrono::milliseconds longest_pause = std::chrono::seconds{2};

using caf::io::receive_policy;
using caf::io::network::operation;

/// CAF's own handles are descriptors' numbers, and it cleans up by handle a while after it has
/// closed the descriptor: what it knows of a connection that got the same number meanwhile would be
/// gone.
caf::io::connection_handle next_handle() {
  static std::atomic<std::int64_t> last{0};
  return caf::io::connection_handle::from_int(++last);
}

} // namespace

guarded_connection::guarded_connection(connection_terms terms)
    : scribe(next_handle()), terms_(std::move(terms)) {}

bool guarded_connection::tick(clock::time_point now) {
  if (ending_)
    return false;
  if (!terms_.guard->greeted()) {
    if (now - born_ >= terms_.handshake)
      end("no handshake in time");
    return !ending_;
  }
  auto watched = terms_.silence.count() > 0;
  if (watched && now - heard_ >= terms_.silence) {
    end("no sign of life");
    return false;
  }
  auto idle = in_flight_ == 0 && wr_buf().empty();
  auto pause = std::min(terms_.silence / 3, longest_pause);
  if ((watched && now - sent_ >= pause) || (bloated_ && idle))
    send_heartbeat();
  return watched || bloated_;
}

void guarded_connection::end(const std::string& why) {
  if (ending_)
    return;
  ending_ = true;
  wr_buf().clear();
  // What comes of it is an event for the loop, whether it reads or waits to write.
  ::shutdown(stream().fd(), SHUT_RDWR);
  if (terms_.on_end)
    terms_.on_end(why);
}

void guarded_connection::configure_read(receive_policy::config config) {
  stream().configure_read(config);
  if (launched_)
    return;
  launched_ = true;
  look_after();
  stream().ack_writes(true);
  stream().start(this);
  if (terms_.writes_first)
    stream().force_empty_write(this);
}

void guarded_connection::ack_writes(bool) {
  // Always on, and for this class alone.
}

std::vector<char>& guarded_connection::wr_buf() {
  return stream().wr_buf();
}

std::vector<char>& guarded_connection::rd_buf() {
  return stream().rd_buf();
}

void guarded_connection::flush() {
  auto& waiting = wr_buf();
  if (ending_)
    waiting.clear();
  if (waiting.empty() || (terms_.waits_for_greeting && !terms_.guard->greeted()))
    return;
  tell_unwritten(in_flight_ + waiting.size());
  if (!account())
    return end("it does not read its answers (limits.unread_kib)");
  sent_ = clock::now();
  if (waiting.size() > kept_buffer_bytes && !std::exchange(bloated_, true))
    look_after();
  // A stream that writes nothing now takes all that waits.
  if (in_flight_ == 0)
    in_flight_ = waiting.size();
  stream().flush(this);
  if (waiting.empty() && waiting.capacity() > kept_buffer_bytes) {
    std::vector<char>{}.swap(waiting);
    bloated_ = in_flight_ > kept_buffer_bytes;
  }
}

bool guarded_connection::identify() {
  auto find_out = std::exchange(terms_.identify, nullptr);
  auto known = find_out ? find_out(*terms_.guard, terms_.slot.get()) : io::result<void>{};
  if (!known)
    end(known.why().what);
  return static_cast<bool>(known);
}

bool guarded_connection::consume(caf::execution_unit* context, const void* data, std::size_t size) {
  if (detached())
    return false;
  if (ending_)
    return finish(context);
  heard_ = clock::now();
  if (!identify())
    return finish(context);
  return judge(context, {static_cast<const char*>(data), size});
}

bool guarded_connection::judge(caf::execution_unit* context, std::string_view bytes) {
  auto& guard = *terms_.guard;
  auto was_payload = std::exchange(in_payload_, false);
  auto word = was_payload ? guard.payload(bytes) : guard.header(bytes);
  if (word == verdict::close) {
    end(guard.why());
    return finish(context);
  }
  if (!was_payload && guard.awaited() > 0) {
    passes_ = word == verdict::pass;
    header_.assign(bytes.begin(), bytes.end());
    return await_payload() || finish(context);
  }
  stream().configure_read(receive_policy::exactly(basp_header_bytes));
  auto goes_on = word == verdict::skip || !passes_ || deliver(context);
  if (was_payload && !detached() && rd_buf().capacity() > kept_buffer_bytes)
    std::vector<char>{}.swap(rd_buf());
  account();
  return goes_on;
}

bool guarded_connection::await_payload() {
  in_payload_ = true;
  if (!account()) {
    end("its principal's connections hold too much (limits.unread_kib)");
    return false;
  }
  stream().configure_read(receive_policy::exactly(terms_.guard->awaited()));
  return true;
}

bool guarded_connection::deliver(caf::execution_unit* context) {
  terms_.guard->hand_over();
  // CAF takes what it reads from rd_buf().
  auto body = std::move(rd_buf());
  rd_buf() = header_;
  if (!scribe::consume(context, rd_buf().data(), rd_buf().size()) || detached())
    return false;
  rd_buf() = std::move(body);
  auto goes_on = scribe::consume(context, rd_buf().data(), rd_buf().size());
  return goes_on && !detached() && (!ending_ || finish(context));
}

bool guarded_connection::finish(caf::execution_unit* context) {
  io_failure(context, operation::read);
  return false;
}

caf::message guarded_connection::detach_message() {
  // A service may have refused this client while that was about to say its first word: CAF ends a
  // connection that can't be written, and reads no more.
  if (!ending_ && !terms_.waits_for_greeting && !terms_.guard->greeted())
    hear_last_word();
  return scribe::detach_message();
}

void guarded_connection::hear_last_word() {
  std::array<char, basp_header_bytes> word;
  if (read_now(word.data(), word.size()) == word.size()
      && terms_.guard->header({word.data(), word.size()}) == verdict::close)
    end(terms_.guard->why());
}

void guarded_connection::look_after() {
  if (auto broker = parent())
    static_cast<guarded_broker*>(broker)->look_after();
}

bool guarded_connection::account() {
  auto unread = in_flight_ + wr_buf().size();
  auto held = unread + (in_payload_ ? terms_.guard->awaited() : 0);
  auto fits = terms_.slot == nullptr || terms_.slot->hold(held);
  return fits && unread <= terms_.unread_bytes;
}

void guarded_connection::data_transferred(caf::execution_unit*, std::size_t,
                                          std::size_t remaining) {
  // With nothing left of what it wrote, the stream goes on with all that waits.
  auto waiting = wr_buf().size();
  in_flight_ = remaining == waiting ? waiting : remaining - waiting;
  if (terms_.slot != nullptr)
    terms_.slot->hold(remaining + (in_payload_ ? terms_.guard->awaited() : 0));
  tell_unwritten(remaining);
}

void guarded_connection::tell_unwritten(std::size_t bytes) {
  auto before = std::exchange(unwritten_, bytes);
  if (terms_.outflow)
    terms_.outflow->set_unwritten(bytes, bytes > before ? bytes - before : 0);
}

void guarded_connection::graceful_shutdown() {
  cut_now();
  detach(&stream().backend(), false);
}

bool guarded_connection::loop_writes() {
  return (stream().eventbf() & EPOLLOUT) != 0;
}

void guarded_connection::cut() {
  if (!ending_ && (in_flight_ == 0 || loop_writes()))
    cut_now();
}

void guarded_connection::cut_now() {
  // One try to be rid of what is under way; a peer that does not read would else keep the loop, and
  // with it the whole system, from ending.
  if (in_flight_ > 0 && !ending_ && loop_writes())
    stream().handle_event(operation::write);
  ending_ = true;
  ::shutdown(stream().fd(), SHUT_RDWR);
}

void guarded_connection::add_to_loop() {
  stream().activate(this);
  if (terms_.writes_first)
    stream().force_empty_write(this);
}

void guarded_connection::remove_from_loop() {
  stream().passivate();
}

void guarded_connection::send_heartbeat() {
  auto heartbeat = bare_basp_header(basp_operation::heartbeat);
  auto& waiting = wr_buf();
  waiting.insert(waiting.end(), heartbeat.begin(), heartbeat.end());
  flush();
}

} // namespace crosvisor::transport
