// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/tickets/descriptor_clients.hpp"

#include "crosvisor/io/tickets/descriptor_request.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <vector>

namespace crosvisor::io {

namespace {

// How long a host that has no descriptor or memory left is given.
constexpr std::chrono::milliseconds breather{200};

// How often old tickets and silent clients are looked for.
constexpr std::chrono::milliseconds longest_tick{1000}, shortest_tick{10};

std::chrono::milliseconds tick_of(std::chrono::milliseconds idle_timeout) {
  return std::clamp(idle_timeout / 4, shortest_tick, longest_tick);
}

// The count of `key`, less one.
template <class Key>
std::size_t count_down(std::map<Key, std::size_t>& counts, const Key& key) {
  auto found = counts.find(key);
  auto left = --found->second;
  if (left == 0)
    counts.erase(found);
  return left;
}

} // namespace

descriptor_clients::descriptor_clients(event_loop& loop, unique_fd listening,
                                       descriptor_door_options options)
    : loop_(loop),
      options_(std::move(options)),
      listening_(loop.context(), listening.get()),
      pause_(loop.context()),
      clock_(loop.context()) {
  (void)listening.release();
}

void descriptor_clients::begin() {
  wait();
  tick();
}

void descriptor_clients::end() {
  boost::system::error_code ignored;
  listening_.close(ignored);
  pause_.cancel();
  clock_.cancel();
  for (const auto& connection : std::exchange(connections_, {}))
    connection->end();
  tell_use();
}

void descriptor_clients::wait() {
  listening_.async_wait(boost::asio::posix::descriptor_base::wait_read,
                        [self = shared_from_this()](const boost::system::error_code& why) {
                          if (!why)
                            self->accept();
                        });
}

// One at a time, so that those who are there have their turns.
void descriptor_clients::accept() {
  unique_fd socket{
    ::accept4(listening_.native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)};
  if (!socket && errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
    return rest();
  if (socket)
    admit(std::move(socket));
  wait();
}

void descriptor_clients::rest() {
  pause_.expires_after(breather);
  pause_.async_wait([self = shared_from_this()](const boost::system::error_code& why) {
    if (!why && self->listening_.is_open())
      self->wait();
  });
}

void descriptor_clients::tick() {
  clock_.expires_after(tick_of(options_.idle_timeout));
  clock_.async_wait([self = shared_from_this()](const boost::system::error_code& why) {
    if (why || !self->listening_.is_open())
      return;
    self->end_silent_ones();
    (void)self->options_.tickets->size(); // Closes those whose time is over.
    self->tick();
  });
}

void descriptor_clients::end_silent_ones() {
  auto since = std::chrono::steady_clock::now() - options_.idle_timeout;
  std::vector<std::shared_ptr<descriptor_connection>> silent;
  for (const auto& connection : connections_)
    if (connection->heard() <= since)
      silent.push_back(connection);
  for (auto& connection : silent)
    connection->end();
}

std::optional<std::string> descriptor_clients::refusal(const caller& who) const {
  if (options_.admits && !options_.admits(who))
    return to_string(who) + " may not use this service";
  auto full = bound_reached(who);
  if (full && options_.use)
    ++options_.use->refused;
  return full;
}

std::optional<std::string> descriptor_clients::bound_reached(const caller& who) const {
  auto own = per_uid_.find(who.uid);
  if (own != per_uid_.end() && own->second >= options_.connections_per_uid)
    return to_string(who) + " has " + std::to_string(own->second)
           + " connections for descriptors, as many as one user may have "
             "(limits.connections_per_user)";
  if (connections_.size() >= options_.connections)
    return "there are " + std::to_string(connections_.size())
           + " connections for descriptors, as many as there may be (limits.connections)";
  return std::nullopt;
}

void descriptor_clients::tell_use() {
  if (options_.use)
    options_.use->connections = connections_.size();
}

void descriptor_clients::admit(unique_fd socket) {
  auto who = peer_of(socket.get());
  if (!who)
    return;
  if (auto why = refusal(*who)) {
    (void)send_packet(socket.get(), no_answer(*why));
    return;
  }
  auto made =
    descriptor_connection::make(loop_, std::move(socket), *who, {options_.tickets, closer_},
                                [weak = weak_from_this()](descriptor_connection& ended) {
                                  if (auto self = weak.lock())
                                    self->leave(ended);
                                });
  if (!made)
    return;
  ++per_uid_[who->uid];
  ++per_process_[{who->uid, who->pid}];
  connections_.insert(*made);
  tell_use();
  (*made)->wait();
}

void descriptor_clients::leave(descriptor_connection& ended) {
  const auto& who = ended.who();
  count_down(per_uid_, who.uid);
  if (count_down(per_process_, process{who.uid, who.pid}) == 0)
    options_.tickets->forget(who);
  connections_.erase(ended.shared_from_this());
  tell_use();
}

} // namespace crosvisor::io
