// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/tickets/descriptor_channel.hpp"

#include "crosvisor/io/config/printable.hpp"
#include "crosvisor/io/tickets/descriptor_packet.hpp"
#include "crosvisor/io/tickets/descriptor_request.hpp"
#include "crosvisor/messages/stored_image.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

namespace crosvisor::io {

namespace {

using deadline = std::chrono::steady_clock::time_point;

constexpr std::size_t max_shown_refusal_bytes = 400;

deadline in(std::chrono::milliseconds bound) {
  return std::chrono::steady_clock::now() + bound;
}

result<void> wait_until(int socket, short events, deadline until) {
  for (;;) {
    auto left =
      std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    pollfd waited{socket, events, 0};
    auto bound = std::clamp<std::chrono::milliseconds::rep>(left.count(), 0, 3'600'000);
    auto ready = ::poll(&waited, 1, static_cast<int>(bound));
    if (ready > 0)
      return {};
    if (ready < 0 && errno != EINTR)
      return last_failure("descriptor socket");
    if (left.count() <= 0)
      return failure{ETIMEDOUT, "the service does not answer on its descriptor socket"};
  }
}

result<void> send(int socket, const std::string& text, const std::vector<int>& fds,
                  deadline until) {
  for (;;) {
    auto sent = send_packet(socket, text, fds.data(), fds.size());
    // Who refused us has said why before he left.
    if (sent || sent.why().code == EPIPE || sent.why().code == ECONNRESET)
      return {};
    if (sent.why().code != EAGAIN)
      return sent;
    if (auto ready = wait_until(socket, POLLOUT, until); !ready)
      return ready;
  }
}

result<descriptor_packet> receive(int socket, deadline until) {
  for (auto resets = 0;;) {
    auto packet = receive_packet(socket, max_answer_bytes);
    if (packet)
      return packet;
    // Reported once, before what came last.
    if (packet.why().code == ECONNRESET && ++resets == 1)
      continue;
    if (packet.why().code != EAGAIN)
      return packet;
    if (auto ready = wait_until(socket, POLLIN, until); !ready)
      return ready.why();
  }
}

struct answer {
  std::vector<ticket> tickets;
  std::vector<unique_fd> fds;
};

// Closes `socket` where nothing can be said over it any more.
result<answer> ask(unique_fd& socket, const std::string& text, const std::vector<int>& fds,
                   deadline until) {
  if (!socket)
    return failure{ENOTCONN, "the descriptor socket is closed"};
  auto sent = send(socket.get(), text, fds, until);
  auto packet = sent ? receive(socket.get(), until) : sent.why();
  if (packet && packet->text.empty())
    packet = failure{ECONNRESET, "the service has closed the descriptor socket"};
  auto said = packet ? parse_descriptor_answer(packet->text) : descriptor_answer{};
  if (packet && said.tickets && packet->fds_lost)
    packet = failure{EMFILE, "this process has no descriptor left for what the service passed"};
  if (packet && !said.why.empty())
    return failure{0, printable(said.why, max_shown_refusal_bytes)};
  if (packet && said.tickets)
    return answer{std::move(*said.tickets), std::move(packet->fds)};
  socket.reset();
  return packet ? failure{EPROTO, "the service answers on its descriptor socket with no answer"}
                : packet.why();
}

result<unique_fd> connected_socket(const std::string& path, std::chrono::milliseconds bound) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path))
    return failure{0, "descriptor socket " + in_quotes(path) + ": a socket's path has 1 to "
                        + std::to_string(sizeof(address.sun_path) - 1) + " bytes"};
  std::copy(path.begin(), path.end(), address.sun_path);
  unique_fd socket{::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)};
  // What connect(2) goes by, which no poll(2) can tell of: a full backlog.
  auto usec = std::chrono::duration_cast<std::chrono::microseconds>(bound).count();
  timeval limit{static_cast<time_t>(usec / 1'000'000),
                static_cast<suseconds_t>(std::max<long>(usec % 1'000'000, 1))};
  if (!socket || ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) != 0)
    return last_failure("descriptor socket");
  if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0)
    return socket;
  if (errno == EAGAIN)
    errno = ETIMEDOUT;
  return last_failure("descriptor socket " + in_quotes(path));
}

} // namespace

result<descriptor_channel> descriptor_channel::connect(const std::string& path,
                                                       std::chrono::milliseconds bound) {
  auto socket = connected_socket(path, bound);
  if (!socket)
    return socket.why();
  return descriptor_channel{std::move(*socket), bound};
}

result<ticket_list> descriptor_channel::put(const descriptor_set& files) {
  auto until = in(bound_);
  const auto& stored = files.stored_images();
  ticket_list list;
  std::vector<int> some;
  for (std::uint32_t i = 0; i < files.size(); ++i) {
    if (!stored.contains(i))
      some.push_back(files.get(i));
    if (some.empty() || (some.size() < max_packet_descriptors && i + 1 < files.size()))
      continue;
    auto answered = ask(socket_, "put", some, until);
    if (!answered)
      return answered.why();
    if (answered->tickets.size() != some.size()) {
      socket_.reset();
      return failure{EPROTO, "the service answers with another number of tickets"};
    }
    list.tickets.insert(list.tickets.end(), answered->tickets.begin(), answered->tickets.end());
    some.clear();
  }
  // In ascending order, so that each comes to its place.
  for (const auto& [index, name] : stored)
    list.tickets.insert(list.tickets.begin() + index, std::string{stored_image_prefix} + name);
  return list;
}

result<unique_fd> descriptor_channel::take(const ticket& of) {
  auto request = take_request(of);
  if (!parse_descriptor_request(request, 0))
    return failure{0, in_quotes(of) + ": is no ticket"};
  auto answered = ask(socket_, request, {}, in(bound_));
  if (!answered)
    return answered.why();
  if (answered->fds.size() == 1)
    return std::move(answered->fds.front());
  socket_.reset();
  return failure{EPROTO, "the service passes another number of descriptors than one"};
}

} // namespace crosvisor::io
