// SPDX-License-Identifier: Apache-2.0
// libFuzzer drives the vsock device as a guest, a VMM, a service and its hosts' programs do.
//
// An input is a first byte (how the device is started), then steps: a byte that says which, and
// what that step reads. What it lacks at the end is zero.
#include "crosvisor/tests/io/vsock/front_end.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>

using namespace crosvisor;
using namespace crosvisor::tests;

namespace {

constexpr std::uint64_t scratch_at = guest_memory::high_at + 0xE00000;
constexpr int most_steps = 400;
constexpr std::uint16_t ring_size = 16;

class input {
public:
  input(const std::uint8_t* data, std::size_t size) : at_(data), left_(size) {}

  bool empty() const { return left_ == 0; }

  template <class T>
  T next() {
    T value{};
    auto part = std::min(left_, sizeof(T));
    std::memcpy(&value, at_, part);
    at_ += part;
    left_ -= part;
    return value;
  }

  std::uint8_t byte() { return next<std::uint8_t>(); }

  std::string bytes(std::size_t count) {
    count = std::min(count, left_);
    std::string taken{reinterpret_cast<const char*>(at_), count};
    at_ += count;
    left_ -= count;
    return taken;
  }

private:
  const std::uint8_t* at_;
  std::size_t left_;
};

class player {
public:
  explicit player(input from) : from_(from) {}

  void play() {
    start(from_.byte());
    for (auto step = 0; step < most_steps && !from_.empty(); ++step) {
      take_step(from_.byte() % 10);
      check();
    }
    all_.vmm.reset();
    all_.run();
    if (all_.made->turn({}) == device_state::running || all_.made->connections() != 0)
      std::abort();
  }

private:
  void start(std::uint8_t how) {
    all_.make_device(std::chrono::milliseconds{0});
    all_.tell(message_kind::listen, 1);
    if (how % 3 == 1)
      all_.start_like_qemu();
    else if (how % 3 == 2)
      all_.start_like_crosvm();
  }

  void take_step(std::uint8_t which) {
    switch (which) {
      case 0: vmm_message(); break;
      case 1: packet(); break;
      case 2: buffers(); break;
      case 3: memory(); break;
      case 4: service_message(); break;
      case 5: host(); break;
      case 6: all_.turn(); break;
      case 7: all_.advance(std::chrono::milliseconds{from_.next<std::uint16_t>()}); break;
      case 8: raw_chain(); break;
      case 9: answer(); break;
    }
  }

  // What holds whatever the guest does.
  void check() {
    while (true) {
      auto got = all_.letter();
      if (got.message.id == 0 && got.message.port == 0)
        break;
      if (got.carried && hosts_.size() < 32)
        hosts_.push_back(std::move(got.carried));
    }
    if (all_.made->connections() > connection_table::limit || all_.lines.size() > 2000)
      std::abort();
  }

  void vmm_message() {
    auto request = from_.byte() % 48;
    auto flags = from_.byte();
    auto payload = from_.bytes(from_.byte() % 80);
    std::vector<int> fds;
    for (auto count = from_.byte() % 4; count > 0; --count)
      fds.push_back(from_.byte() % 2 == 0 ? all_.memory.fd.get() : all_.kicks[0].get());
    // Mostly a header that is let in.
    if (flags < 250)
      flags = flags % 2 == 0 ? 1 : 9;
    all_.send(request, payload.data(), payload.size(), fds, flags);
    drain_replies();
  }

  void drain_replies() {
    char dropped[4096];
    while (::recv(all_.vmm.get(), dropped, sizeof(dropped), MSG_DONTWAIT) > 0) {
    }
  }

  void packet() {
    packet_header header = all_.header(packet_op{from_.byte()}, from_.byte() % 4, from_.byte() % 8);
    if (from_.byte() % 16 == 0)
      header.dst_port |= 1u << 30;
    header.flags = from_.byte();
    header.buf_alloc = from_.next<std::uint32_t>();
    header.fwd_cnt = from_.next<std::uint32_t>();
    auto odd = from_.byte();
    if (odd == 1)
      header.type = 2;
    if (odd == 2)
      header.src_cid = from_.byte();
    if (odd == 3)
      header.len = from_.next<std::uint32_t>();
    std::string payload(from_.next<std::uint16_t>(), 'p');
    std::vector<std::uint32_t> split{44};
    if (odd == 4)
      split = {from_.byte() % 45u, from_.byte() % 2u};
    all_.send_packet(header, payload, split);
  }

  // Answers what the device asks, so that connects get further.
  void answer() {
    auto got = all_.packet();
    if (got.header.op != packet_op::request)
      return;
    all_.send_packet(all_.header(packet_op::response, got.header.src_port, got.header.dst_port));
  }

  void buffers() {
    auto count = from_.byte() % (ring_size + 1);
    static constexpr std::array<std::uint32_t, 6> lengths{3776, 45, 44, 65536, 100, 4140};
    all_.post_buffers(count, lengths[from_.byte() % lengths.size()]);
  }

  // Anything anywhere in the rings.
  void memory() {
    auto& ring = from_.byte() % 2 == 0 ? all_.rx : all_.tx;
    auto length = ring.used + 6 + 8 * ring.size - ring.descriptors;
    auto offset = from_.next<std::uint16_t>() % length;
    auto content = from_.bytes(std::min<std::size_t>(from_.byte() % 32, length - offset));
    std::memcpy(all_.memory.at(ring.descriptors + offset), content.data(), content.size());
  }

  // A chain of any descriptors.
  void raw_chain() {
    auto& ring = from_.byte() % 2 == 0 ? all_.rx : all_.tx;
    auto head = ring.next_descriptor;
    for (auto count = 1 + from_.byte() % 4; count > 0; --count) {
      auto where = from_.byte();
      auto address = where < 200   ? scratch_at + where
                     : where < 220 ? guest_memory::low_size - 10
                                   : from_.next<std::uint64_t>();
      auto next = static_cast<std::uint16_t>((ring.next_descriptor + 1) % ring.size);
      ring.put_descriptor(ring.next_descriptor, {address, from_.next<std::uint16_t>()},
                          from_.byte(), next);
      ring.next_descriptor = next;
    }
    ring.offer(head);
  }

  void service_message() {
    channel_message message;
    message.kind = message_kind{from_.byte() % 8u};
    message.port = from_.byte() % 4;
    message.id = from_.byte();
    message.timeout_ms = from_.next<std::uint16_t>();
    // Mostly what a service sends.
    if (message.kind < message_kind::listen || message.kind > message_kind::abandon) {
      if (from_.byte() != 1)
        message.kind = message_kind::connect;
    }
    message.id = std::max(message.id, 1u);
    message.timeout_ms = std::max(message.timeout_ms, 1u);
    ::send(all_.service.get(), &message, sizeof(message), MSG_NOSIGNAL | MSG_DONTWAIT);
  }

  void host() {
    if (hosts_.empty())
      return;
    auto& one = hosts_[from_.byte() % hosts_.size()];
    std::string data(from_.next<std::uint16_t>(), 'h');
    switch (from_.byte() % 6) {
      case 0:
      case 1: ::send(one.get(), data.data(), data.size(), MSG_NOSIGNAL | MSG_DONTWAIT); break;
      case 2: read_some(one.get()); break;
      case 3: ::shutdown(one.get(), SHUT_WR); break;
      case 4: ::shutdown(one.get(), SHUT_RD); break;
      case 5:
        std::swap(one, hosts_.back());
        hosts_.pop_back();
        break;
    }
  }

  input from_;
  front_end all_{ring_size};
  std::vector<io::unique_fd> hosts_;
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  player{input{data, size}}.play();
  return 0;
}
