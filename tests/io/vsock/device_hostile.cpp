// SPDX-License-Identifier: Apache-2.0
// A guest that breaks every rule: what it gets for it, and that others are left alone.
#include "crosvisor/tests/io/vsock/front_end.hpp"

#include <caf/test/dsl.hpp>

#include <sys/socket.h>

#undef CAF_SUITE
#define CAF_SUITE io.vsock.device_hostile

using namespace crosvisor;
using namespace crosvisor::tests;

namespace {

constexpr std::uint64_t scratch = guest_memory::high_at + 0x900000;

enum class fate {
  dropped, ///< The buffer is used, the connection lives, nothing is answered.
  reset,   ///< An RST comes.
  stopped, ///< The ring is stopped and its error signalled.
  fine,    ///< The host gets the payload.
};

struct victim : front_end {
  victim() {
    make_device();
    start_like_qemu();
    post_buffers(64);
    host = guest_connects(1000, 5000);
    neighbour = guest_connects(1000, 6000);
  }

  bool error_signalled(unsigned ring) {
    std::uint64_t count = 0;
    return ::read(errs[ring].get(), &count, sizeof(count)) == sizeof(count);
  }

  // A header with payload behind it in guest memory.
  void put_packet(packet_header packet, std::string_view payload) {
    auto bytes = encode(packet);
    std::memcpy(memory.at(scratch), bytes.data(), bytes.size());
    std::memcpy(memory.at(scratch) + 44, payload.data(), payload.size());
  }

  packet_header data(std::uint32_t length) {
    auto packet = header(packet_op::rw, 1000, 5000);
    packet.len = length;
    return packet;
  }

  io::unique_fd host, neighbour;
};

struct row {
  const char* what;
  std::function<void(victim&)> act;
  fate expected;
  unsigned ring = tx_ring;
};

// One descriptor of a chain, made available where told.
auto chain(
  std::vector<std::tuple<std::uint64_t, std::uint32_t, std::uint16_t, std::uint16_t>> parts,
  std::uint16_t head = 0) {
  return [parts, head](victim& v) {
    v.put_packet(v.data(4), "data");
    for (std::size_t i = 0; i < parts.size(); ++i) {
      auto [address, length, flags, next] = parts[i];
      v.tx.put_descriptor(static_cast<std::uint16_t>(i), {address, length}, flags, next);
    }
    v.tx.offer(head);
  };
}

auto packet(std::function<void(packet_header&)> change, std::string payload = "data") {
  return [change, payload](victim& v) {
    auto made_up = v.data(static_cast<std::uint32_t>(payload.size()));
    change(made_up);
    v.put_packet(made_up, payload);
    v.tx.put_descriptor(0, {scratch, static_cast<std::uint32_t>(44 + payload.size())}, 0, 0);
    v.tx.offer(0);
  };
}

auto receive_buffer(std::uint64_t address, std::uint32_t length, std::uint16_t flags,
                    int times = 1) {
  return [=](victim& v) {
    // All good buffers first, so that this one's turn comes.
    v.repost = false;
    for (auto i = 0; i < times; ++i) {
      v.rx.put_descriptor(static_cast<std::uint16_t>(100 + i), {address, length}, flags, 0);
      v.rx.offer(static_cast<std::uint16_t>(100 + i));
    }
    std::string much(8000, 'x');
    for (auto i = 0; i < 40; ++i) {
      ::send(v.host.get(), much.data(), much.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      v.turn();
    }
  };
}

const std::vector<row>& rows() {
  constexpr auto S = fate::stopped;
  constexpr auto D = fate::dropped;
  constexpr auto R = fate::reset;
  static const std::vector<row> all{
    {"available index far ahead",
     [](victim& v) { v.tx.set_avail_index(static_cast<std::uint16_t>(v.tx.avail_index() + 129)); },
     S},
    {"head outside the ring", chain({{scratch, 48, 0, 0}}, 128), S},
    {"next outside the ring", chain({{scratch, 48, 1, 128}}), S},
    {"a loop", chain({{scratch, 48, 1, 1}, {scratch, 48, 1, 0}}), S},
    {"a descriptor that is its own next", chain({{scratch, 0, 1, 0}}), S},
    {"an indirect table", chain({{scratch, 48, 4, 0}}), S},
    {"a packet to be written to", chain({{scratch, 48, 2, 0}}), S},
    {"an address that wraps", chain({{~0ull - 10, 48, 0, 0}}), S},
    {"an address in the hole", chain({{guest_memory::low_size, 48, 0, 0}}), S},
    {"a buffer that reaches into the hole", chain({{guest_memory::low_size - 8, 48, 0, 0}}), S},
    {"a buffer that reaches behind the end",
     chain({{guest_memory::high_at + guest_memory::size - guest_memory::low_size - 47, 48, 0, 0}}),
     S},
    {"4 GiB in one buffer", chain({{scratch, 0xFFFFFFFF, 0, 0}}), S},
    {"an address of the VMM's", chain({{guest_memory::high_vmm, 48, 0, 0}}), S},
    {"empty descriptors", chain({{scratch, 0, 1, 1}, {0, 0, 1, 2}, {scratch, 48, 0, 0}}),
     fate::fine},
    {"no bytes at all", chain({{scratch, 0, 0, 0}}), D},
    {"43 bytes", chain({{scratch, 43, 0, 0}}), D},
    {"less payload than the header says", packet([](auto& p) { p.len = 5; }), D},
    {"a length of 4 GiB", packet([](auto& p) { p.len = 0xFFFFFFFF; }), D},
    {"a length of 65537", packet([](auto& p) { p.len = 65537; }, std::string(65537, 'x')), D},
    {"more payload than the header says", chain({{scratch, 1000, 0, 0}}), fate::fine},
    {"another guest's cid", packet([](auto& p) { p.src_cid = 43; }), D},
    {"a cid with upper bits", packet([](auto& p) { p.src_cid |= 1ull << 40; }), D},
    {"another host's cid", packet([](auto& p) { p.dst_cid = 1; }), D},
    {"an unknown type", packet([](auto& p) { p.type = 77; }), R},
    {"seqpacket", packet([](auto& p) { p.type = 2; }), R},
    {"operation 0", packet([](auto& p) { p.op = packet_op::invalid; }), D},
    {"operation 65535", packet([](auto& p) { p.op = packet_op{65535}; }), D},
    {"operation 0 of an unknown connection", packet([](auto& p) {
       p.op = packet_op::invalid;
       p.src_port = 1;
     }),
     R},
    {"a request on a live connection", packet([](auto& p) { p.op = packet_op::request; }), R},
    {"a request from no port", packet([](auto& p) {
       p.op = packet_op::request;
       p.src_port = 0xFFFFFFFF;
     }),
     R},
    {"an answer to nothing", packet([](auto& p) { p.op = packet_op::response; }), R},
    {"shutdown with unknown flags", packet([](auto& p) {
       p.op = packet_op::shutdown;
       p.flags = 0xFFFFFFFC;
     }),
     D},
    {"huge credit", packet([](auto& p) { p.buf_alloc = 0xFFFFFFFF; }), fate::fine},
    {"credit backwards", packet([](auto& p) { p.fwd_cnt = 0xFFFFFFF0; }), fate::fine},
    {"a buffer to be read from", receive_buffer(scratch, 4096, 0), S, rx_ring},
    {"a buffer in the hole", receive_buffer(guest_memory::low_size, 4096, 2), S, rx_ring},
    {"buffers without room", receive_buffer(scratch, 44, 2, 20), S, rx_ring},
  };
  return all;
}

void check_fate(const row& row, victim& v) {
  auto op = packet_op::invalid;
  if (row.ring == tx_ring)
    op = v.next_op();
  CAF_CHECK_EQUAL(v.error_signalled(row.ring), row.expected == fate::stopped);
  CAF_CHECK(v.turn() == device_state::running);
  CAF_CHECK_EQUAL(op == packet_op::rst, row.expected == fate::reset);
  if (row.ring == tx_ring)
    CAF_CHECK_EQUAL(read_all(v.host.get()), row.expected == fate::fine ? "data" : "");
  if (row.expected == fate::stopped)
    return;
  CAF_CHECK_EQUAL(v.tx.used_index(), v.tx.avail_index());
  v.tx.next_descriptor = 10;
  v.send_packet(v.header(packet_op::rw, 1000, 6000), "unharmed");
  v.run();
  CAF_CHECK_EQUAL(read_all(v.neighbour.get()), "unharmed");
}

} // namespace

CAF_TEST(each broken rule has its consequence) {
  for (auto& row : rows()) {
    CAF_MESSAGE(row.what);
    victim v;
    row.act(v);
    v.kick(tx_ring);
    v.turn();
    check_fate(row, v);
  }
}

CAF_TEST(a flood of packets for unknown connections is bounded and all are answered in time) {
  victim v;
  v.drop_packets();
  v.repost = false;
  // Nobody takes the answers: 64 buffers, then 256 that wait, then the ring is left alone.
  auto sent = 0;
  for (auto i = 0; i < 600; ++i) {
    if (static_cast<std::uint16_t>(v.tx.avail_index() - v.tx.used_index()) < 60) {
      v.send_packet(v.header(packet_op::rw, 7, static_cast<std::uint32_t>(10000 + i)), "x");
      ++sent;
    }
    v.turn();
  }
  auto left = static_cast<std::uint16_t>(v.tx.avail_index() - v.tx.used_index());
  CAF_CHECK_EQUAL(left, 60u);
  auto answers = 0;
  for (auto got = v.packet(); got.header.op == packet_op::rst; got = v.packet()) {
    ++answers;
    v.post_buffers(64);
    v.turn();
  }
  CAF_CHECK_EQUAL(answers, sent);
  CAF_CHECK_EQUAL(v.tx.used_index(), v.tx.avail_index());
}

CAF_TEST(a guest that opens and resets without end leaves nothing behind) {
  victim v;
  v.repost = false;
  v.drop_packets();
  for (auto i = 0u; i < 5000; ++i) {
    v.send_packet(v.header(packet_op::request, 1000, 20000 + i));
    v.send_packet(v.header(packet_op::rst, 1000, 20000 + i));
    v.turn();
    v.letter();
  }
  CAF_CHECK_EQUAL(v.made->connections(), 2u);
}

CAF_TEST(a stopped ring stays stopped until the VMM starts it anew) {
  victim v;
  v.tx.offer(500);
  v.kick(tx_ring);
  v.run();
  CAF_CHECK(v.error_signalled(tx_ring));
  CAF_CHECK_EQUAL(v.lines.size(), 1u);
  v.run();
  v.stop_like_qemu();
  v.rx.clear();
  v.tx.clear();
  v.restart_like_qemu({0, 0});
  v.post_buffers(64);
  CAF_CHECK_EQUAL(v.made->connections(), 0u);
}
