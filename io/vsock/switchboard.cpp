// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/vsock/switchboard.hpp"

#include "crosvisor/io/vsock/host_socket.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>

namespace crosvisor::io::vsock {

namespace {

using phase = connection_phase;

// Edges: interest changes only when a host stops taking data and when it goes on.
constexpr std::uint32_t reading = EPOLLIN | EPOLLRDHUP | EPOLLET;

} // namespace

// -- a connection's host ---------------------------------------------------------

bool switchboard::attach(connection& which, message_kind kind) {
  auto pair = make_socket_pair();
  if (!pair) {
    log_.line("device gets no " + pair.why().what);
    return false;
  }
  if (!poll_.add(pair->ours.get(), reading, table_.token_of(which)))
    return false;
  which.host = std::move(pair->ours);
  channel_message message;
  message.kind = kind;
  message.id = kind == message_kind::connected ? std::exchange(which.request_id, 0) : 0;
  message.port = kind == message_kind::opened ? which.key().host_port : 0;
  message.peer_port = which.key().guest_port;
  service_.send(message, std::move(pair->theirs));
  return true;
}

void switchboard::detach(connection& which) {
  if (which.host)
    poll_.remove(which.host.get());
  close_gently(std::move(which.host));
  which.backlog.clear();
}

void switchboard::poll_writable(connection& which, bool wanted) {
  if (std::exchange(which.polls_writable, wanted) != wanted)
    poll_.modify(which.host.get(), reading | (wanted ? EPOLLOUT : 0u), table_.token_of(which));
}

void switchboard::write_backlog(connection& which) {
  auto rest = which.backlog.front();
  iovec piece{const_cast<std::byte*>(rest.data()), rest.size()};
  auto sent = send_pieces(which.host.get(), {&piece, 1});
  which.forward(sent.bytes);
  which.backlog.consume(sent.bytes);
  if (sent.failed)
    which.host_deaf();
  if (which.backlog.empty())
    poll_writable(which, false);
  settle(which);
}

// Passes on what the guest has ended, as far as the host has all that came before.
void switchboard::settle(connection& which) {
  if (which.is_finished()) {
    reset(which, ECONNRESET);
    return;
  }
  auto shut = which.guest_shut();
  if (which.host && (shut & shut_receive) != 0)
    ::shutdown(which.host.get(), SHUT_RD);
  if (which.host && (shut & shut_send) != 0 && which.backlog.empty()
      && !std::exchange(which.end_passed_on, true))
    ::shutdown(which.host.get(), SHUT_WR);
  if (shut == shut_both && which.deadline == connection::never) {
    which.deadline = now_ + closing_time;
    schedule(which.deadline);
  }
  look_after(which);
}

// Gives it a turn if it has something to say.
void switchboard::look_after(connection& which) {
  if (which.owed() || which.wants_data())
    table_.enqueue(which);
  else
    mind_stall(which);
}

void switchboard::host_event(connection_table::token token, std::uint32_t events) {
  auto* which = table_.at(token);
  if (which == nullptr || !which->host)
    return;
  if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0)
    which->readable = true;
  if ((events & (EPOLLHUP | EPOLLERR)) != 0)
    which->host_hung_up();
  if (!which->backlog.empty())
    write_backlog(*which);
  else
    look_after(*which);
}

// -- ends ------------------------------------------------------------------------

void switchboard::refuse(connection& which, int error) {
  if (which.request_id == 0)
    return;
  channel_message message;
  message.kind = message_kind::refused;
  message.id = std::exchange(which.request_id, 0);
  message.error = error;
  service_.send(message);
}

// Over for the host; the guest is to be told. `error` is for a service that waits.
void switchboard::reset(connection& which, int error) {
  if (!which.is_known_to_guest()) {
    remove(which, error);
    return;
  }
  refuse(which, error);
  detach(which);
  which.reset();
  which.deadline = connection::never;
  which.ask_again = connection::never;
  table_.enqueue(which);
}

void switchboard::remove(connection& which, int error) {
  refuse(which, error);
  detach(which);
  table_.remove(which);
}

void switchboard::forget_driver() {
  replies_.clear();
  short_buffers_ = 0;
  table_.for_each([this](connection& which) {
    if (which.is_known_to_guest())
      remove(which, ENETDOWN);
  });
}

void switchboard::close_all() {
  table_.for_each([this](connection& which) { remove(which, ENETDOWN); });
}

void switchboard::flush_hosts(std::chrono::milliseconds limit) {
  auto end = std::chrono::steady_clock::now() + limit;
  std::vector<pollfd> full;
  for (;;) {
    full.clear();
    table_.for_each([&](connection& which) {
      if (which.host && !which.backlog.empty())
        write_backlog(which);
    });
    table_.for_each([&](connection& which) {
      if (which.host && !which.backlog.empty())
        full.push_back({which.host.get(), POLLOUT, 0});
    });
    auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    if (full.empty() || left.count() <= 0)
      return;
    ::poll(full.data(), full.size(), static_cast<int>(left.count()));
  }
}

// -- time ------------------------------------------------------------------------

void switchboard::schedule(time_point when) noexcept {
  next_timer_ = std::min(next_timer_, when);
}

void switchboard::pause() noexcept {
  paused_ = true;
  paused_at_ = now_;
}

void switchboard::resume() noexcept {
  paused_ = false;
  auto paused = now_ - paused_at_;
  table_.for_each([&](connection& which) {
    // The service's own wait for a connect goes on.
    if (which.phase() != phase::requesting && which.deadline != connection::never)
      which.deadline += paused;
  });
  next_timer_ = now_;
}

void switchboard::expire() {
  if (now_ < next_timer_)
    return;
  next_timer_ = connection::never;
  table_.for_each([this](connection& which) { expire(which); });
}

void switchboard::expire(connection& which) {
  if (paused_ && which.phase() != phase::requesting)
    return;
  if (which.ask_again <= now_) {
    which.ask_again = connection::never;
    if (which.is_stalled()) {
      which.ask_credit();
      which.ask_again = now_ + next_ask;
      table_.enqueue(which);
    }
  }
  schedule(which.ask_again);
  if (which.deadline > now_)
    schedule(which.deadline);
  else
    reset(which, ETIMEDOUT);
}

} // namespace crosvisor::io::vsock
