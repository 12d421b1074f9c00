// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/tickets/descriptor_connection.hpp"

#include "crosvisor/io/tickets/descriptor_request.hpp"
#include "crosvisor/io/tickets/foreign_descriptor.hpp"

#include <cerrno>
#include <optional>
#include <utility>

namespace crosvisor::io {

namespace {

// How many descriptors of one uid may wait to be closed before nothing more is received from it.
constexpr std::size_t max_closing = 2 * max_packet_descriptors;

std::optional<std::string> first_problem(const std::vector<unique_fd>& fds) {
  for (std::size_t i = 0; i < fds.size(); ++i)
    if (auto problem = descriptor_problem(fds[i].get()))
      return "descriptor " + std::to_string(i) + ": " + *problem;
  return std::nullopt;
}

} // namespace

result<std::shared_ptr<descriptor_connection>>
descriptor_connection::make(event_loop& loop, unique_fd socket, caller who,
                            descriptor_keepers keepers, ending ended) {
  auto made = std::make_shared<descriptor_connection>(loop, std::move(who), std::move(keepers),
                                                      std::move(ended));
  boost::system::error_code why;
  made->socket_.assign(socket.get(), why);
  if (why)
    return failure{why.value(), "epoll: " + why.message()};
  (void)socket.release();
  return made;
}

descriptor_connection::descriptor_connection(event_loop& loop, caller who,
                                             descriptor_keepers keepers, ending ended)
    : socket_(loop.context()),
      who_(std::move(who)),
      keepers_(std::move(keepers)),
      ended_(std::move(ended)),
      heard_(std::chrono::steady_clock::now()) {}

void descriptor_connection::wait() {
  socket_.async_wait(boost::asio::posix::descriptor_base::wait_read,
                     [self = shared_from_this()](const boost::system::error_code& why) {
                       if (!why)
                         self->serve();
                     });
}

void descriptor_connection::end() {
  boost::system::error_code ignored;
  socket_.close(ignored);
  if (auto tell = std::exchange(ended_, nullptr))
    tell(*this);
}

void descriptor_connection::serve() {
  if (keepers_.closer.waiting(who_.uid) > max_closing) {
    refuse("descriptors of " + to_string(who_) + " can't be closed");
    return end();
  }
  auto packet = receive_packet(socket_.native_handle(), max_request_bytes);
  if (!packet && packet.why().code == EAGAIN)
    return wait();
  if (!packet || !answer(std::move(*packet)))
    return end();
  heard_ = std::chrono::steady_clock::now();
  wait();
}

// Whether to go on.
bool descriptor_connection::answer(descriptor_packet packet) {
  auto count = packet.fds.size();
  auto lost = packet.fds_lost && count <= max_packet_descriptors;
  // Of a packet whose descriptors were lost it is the words that count.
  auto request =
    packet.text_cut ? std::nullopt : parse_descriptor_request(packet.text, lost ? 1 : count);
  if (!request) {
    keepers_.closer.close(who_.uid, std::move(packet.fds));
    return false;
  }
  if (request->take)
    return answer_take(*request->take);
  if (lost)
    return refuse("the service has no descriptors left", std::move(packet.fds));
  return answer_put(std::move(packet.fds));
}

bool descriptor_connection::answer_put(std::vector<unique_fd> fds) {
  if (auto problem = first_problem(fds))
    return refuse(*problem, std::move(fds));
  auto kept = keep(std::move(fds));
  return kept ? static_cast<bool>(send_packet(socket_.native_handle(), ok_answer(*kept)))
              : refuse(kept.why().what);
}

// All of them or none.
result<std::vector<ticket>> descriptor_connection::keep(std::vector<unique_fd> fds) {
  constexpr auto way = ticket_store::direction::to_service;
  std::vector<ticket> tickets;
  for (auto& fd : fds) {
    auto kept = keepers_.tickets->put(std::move(fd), who_, way);
    if (kept) {
      tickets.push_back(std::move(*kept));
      continue;
    }
    for (auto& other : tickets)
      if (auto taken = keepers_.tickets->take(other, who_, way))
        keepers_.closer.close(who_.uid, std::move(*taken));
    keepers_.closer.close(who_.uid, std::move(fds));
    return kept.why();
  }
  return tickets;
}

bool descriptor_connection::answer_take(const ticket& of) {
  auto taken = keepers_.tickets->take(of, who_, ticket_store::direction::to_client);
  if (!taken)
    return refuse(taken.why().what);
  auto fd = taken->get();
  return static_cast<bool>(send_packet(socket_.native_handle(), ok_answer(), &fd, 1));
}

bool descriptor_connection::refuse(std::string_view why) {
  return static_cast<bool>(send_packet(socket_.native_handle(), no_answer(why)));
}

bool descriptor_connection::refuse(std::string_view why, std::vector<unique_fd> fds) {
  keepers_.closer.close(who_.uid, std::move(fds));
  return refuse(why);
}

} // namespace crosvisor::io
