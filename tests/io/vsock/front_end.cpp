// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/tests/io/vsock/front_end.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <array>
#include <cstring>

namespace crosvisor::tests {

namespace {

constexpr std::uint64_t rx_ring_at = 0x1000;
constexpr std::uint64_t tx_ring_at = guest_memory::high_at + 0x100000;
constexpr std::uint64_t event_ring_at = guest_memory::high_at + 0x400000;
constexpr std::uint64_t rx_buffers_at = guest_memory::high_at + 0x500000;
constexpr std::uint64_t tx_buffers_at = guest_memory::high_at + 0x900000;
constexpr std::uint64_t tx_buffers_size = 0x500000;

std::pair<io::unique_fd, io::unique_fd> pair(int type) {
  int fds[2];
  if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds) != 0)
    throw std::runtime_error("socketpair");
  return {io::unique_fd{fds[0]}, io::unique_fd{fds[1]}};
}

} // namespace

bool is_readable(int fd, int timeout_ms) {
  pollfd entry{fd, POLLIN, 0};
  return ::poll(&entry, 1, timeout_ms) == 1;
}

front_end::front_end(std::uint16_t ring_size)
    : rx(memory, rx_ring_at, ring_size),
      tx(memory, tx_ring_at, ring_size),
      events(memory, event_ring_at, ring_size),
      buffer_at_(ring_size) {
  std::tie(vmm, vmm_peer) = pair(SOCK_STREAM);
  std::tie(service, service_peer) = pair(SOCK_SEQPACKET);
  for (auto i = 0; i < 3; ++i) {
    kicks[i].reset(::eventfd(0, EFD_CLOEXEC)); // Blocking, as crosvm's.
    calls[i].reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    errs[i].reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  }
}

front_end::~front_end() = default;

void front_end::make_device(std::chrono::milliseconds last_flush) {
  device_plan plan;
  plan.last_flush = last_flush;
  plan.guest_cid = test_cid;
  plan.vmm = std::move(vmm_peer);
  plan.service = std::move(service_peer);
  plan.clock = [this] { return now; };
  plan.sink = [this](std::string_view line) { lines.emplace_back(line); };
  made = std::move(*device::make(std::move(plan)));
}

device_state front_end::turn() {
  return made->turn(std::chrono::milliseconds{0});
}

void front_end::settle() {
  if (made)
    turn();
}

bool front_end::run_until(const std::function<bool()>& done) {
  for (auto turns = 0; turns < 100'000; ++turns) {
    if (done())
      return true;
    if (made && turn() != device_state::running)
      return done();
  }
  return false;
}

void front_end::run() {
  for (auto turns = 0; turns < 8 && made; ++turns)
    turn();
}

// -- guest -----------------------------------------------------------------------

void front_end::post_buffers(std::size_t count, std::uint32_t length) {
  buffer_length_ = length;
  for (; buffers_ < count; ++buffers_) {
    auto at = rx_buffers_at + std::uint64_t{length} * rx.next_descriptor;
    auto head = rx.add({{at, length}}, true);
    buffer_at_[head] = at;
  }
  kick(0);
}

packet_header front_end::header(packet_op op, std::uint32_t host_port,
                                std::uint32_t guest_port) const {
  packet_header made_up;
  made_up.src_cid = test_cid;
  made_up.dst_cid = 2;
  made_up.src_port = guest_port;
  made_up.dst_port = host_port;
  made_up.op = op;
  made_up.buf_alloc = credit;
  made_up.fwd_cnt = forwarded;
  return made_up;
}

void front_end::send_bytes(std::string_view bytes, std::vector<std::uint32_t> split) {
  if (next_payload_ + bytes.size() > tx_buffers_size)
    next_payload_ = 0;
  auto at = tx_buffers_at + next_payload_;
  next_payload_ += bytes.size();
  std::memcpy(memory.at(at), bytes.data(), bytes.size());
  std::vector<guest_piece> pieces;
  std::uint32_t done = 0;
  for (auto length : split) {
    pieces.push_back({at + done, length});
    done += length;
  }
  if (done < bytes.size() || pieces.empty())
    pieces.push_back({at + done, static_cast<std::uint32_t>(bytes.size() - done)});
  tx.add(pieces, false);
  kick(1);
}

void front_end::send_packet(const packet_header& packet, std::string_view payload,
                            std::vector<std::uint32_t> split) {
  auto sent = packet;
  if (sent.len == 0)
    sent.len = static_cast<std::uint32_t>(payload.size());
  auto encoded = encode(sent);
  std::string bytes{reinterpret_cast<const char*>(encoded.data()), encoded.size()};
  bytes += payload;
  send_bytes(bytes, std::move(split));
}

guest_packet front_end::take_packet() {
  if (!rx.has_used())
    return {};
  auto [head, written] = rx.take_used();
  guest_packet got;
  // A fuzz target may have overwritten the ring.
  if (head >= rx.size || written < 44 || written > buffer_length_ || buffers_ == 0)
    return got;
  auto* at = memory.at(buffer_at_[head]);
  packet_header_bytes bytes;
  std::memcpy(bytes.data(), at, bytes.size());
  got.header = decode(bytes);
  got.payload.assign(reinterpret_cast<char*>(at) + 44, written - 44);
  --buffers_;
  if (repost)
    post_buffers(buffers_ + 1, buffer_length_);
  return got;
}

guest_packet front_end::packet() {
  if (made) {
    for (auto turns = 0; turns < 40 && !rx.has_used(); ++turns)
      turn();
  } else {
    // As a driver waits: ask for a call, look again, sleep.
    while (!rx.has_used()) {
      rx.set_used_event(rx.seen_used);
      std::atomic_thread_fence(std::memory_order_seq_cst);
      if (rx.has_used() || !is_readable(calls[0].get(), patience_ms))
        break;
      was_called(0);
    }
  }
  return take_packet();
}

packet_op front_end::next_op() {
  return packet().header.op;
}

void front_end::drop_packets() {
  run();
  while (rx.has_used()) {
    take_packet();
    settle();
  }
}

// -- service ---------------------------------------------------------------------

void front_end::tell(message_kind kind, std::uint32_t port, std::uint32_t id,
                     std::uint32_t timeout_ms) {
  channel_message message;
  message.kind = kind;
  message.port = port;
  message.id = id;
  message.timeout_ms = timeout_ms;
  ::send(service.get(), &message, sizeof(message), MSG_NOSIGNAL);
  settle();
}

service_letter front_end::letter() {
  settle();
  service_letter got;
  if (!is_readable(service.get(), made ? 0 : patience_ms))
    return got;
  iovec part{&got.message, sizeof(got.message)};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  if (::recvmsg(service.get(), &message, MSG_CMSG_CLOEXEC) != sizeof(got.message))
    return {};
  if (auto* rights = CMSG_FIRSTHDR(&message))
    got.carried.reset(load<int>(CMSG_DATA(rights)));
  return got;
}

io::unique_fd front_end::guest_connects(std::uint32_t host_port, std::uint32_t guest_port) {
  tell(message_kind::listen, host_port);
  send_packet(header(packet_op::request, host_port, guest_port));
  if (packet().header.op != packet_op::response)
    throw std::runtime_error("no response");
  return letter().carried;
}

std::string read_some(int fd, std::size_t limit) {
  std::string bytes(limit, '\0');
  auto got = ::recv(fd, bytes.data(), bytes.size(), MSG_DONTWAIT);
  bytes.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return bytes;
}

std::string read_all(int fd) {
  std::string all;
  for (auto part = read_some(fd); !part.empty(); part = read_some(fd))
    all += part;
  return all;
}

} // namespace crosvisor::tests
