// SPDX-License-Identifier: Apache-2.0
// Connections as guest and host see them.
#include "crosvisor/tests/io/vsock/running_device.hpp"

#include <caf/test/dsl.hpp>

#include <sys/socket.h>

#undef CAF_SUITE
#define CAF_SUITE io.vsock.device_streams

using namespace crosvisor;
using namespace crosvisor::tests;

namespace {

struct fixture : running_device {
  static int write_error(int fd) {
    return ::send(fd, "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? errno : 0;
  }

  void guest_says(packet_op op, std::string_view payload = {}, std::uint32_t flags = 0) {
    auto packet = header(op, 1000, 5000);
    packet.flags = flags;
    send_packet(packet, payload);
    run();
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(device_streams, fixture)

CAF_TEST(a guest connects and both sides talk) {
  tell(message_kind::listen, 1000);
  send_packet(header(packet_op::request, 1000, 5000));
  auto response = packet();
  CAF_CHECK(response.header.op == packet_op::response);
  CAF_CHECK_EQUAL(response.header.src_cid, 2u);
  CAF_CHECK_EQUAL(response.header.dst_cid, test_cid);
  CAF_CHECK_EQUAL(response.header.src_port, 1000u);
  CAF_CHECK_EQUAL(response.header.dst_port, 5000u);
  CAF_CHECK_EQUAL(response.header.buf_alloc, 262144u);
  auto opened = letter();
  CAF_CHECK(opened.message.kind == message_kind::opened);
  CAF_CHECK_EQUAL(opened.message.port, 1000u);
  CAF_CHECK_EQUAL(opened.message.peer_port, 5000u);
  guest_says(packet_op::rw, "hello");
  CAF_CHECK_EQUAL(read_all(opened.carried.get()), "hello");
  write(opened.carried.get(), "good day");
  auto data = packet();
  CAF_CHECK(data.header.op == packet_op::rw);
  CAF_CHECK_EQUAL(data.payload, "good day");
  CAF_CHECK_EQUAL(data.header.len, 8u);
  CAF_CHECK_EQUAL(data.header.fwd_cnt, 5u);
}

CAF_TEST(a port that nobody serves is refused at once) {
  send_packet(header(packet_op::request, 1000, 5000));
  auto answer = packet();
  CAF_CHECK(answer.header.op == packet_op::rst);
  CAF_CHECK_EQUAL(answer.header.src_port, 1000u);
  CAF_CHECK_EQUAL(answer.header.dst_port, 5000u);
  CAF_CHECK_EQUAL(answer.header.dst_cid, test_cid);
  CAF_CHECK_EQUAL(answer.header.buf_alloc, 0u);
}

CAF_TEST(a port is refused again once the service unlistens and its connections go on) {
  auto host = guest_connects(1000, 5000);
  tell(message_kind::unlisten, 1000);
  send_packet(header(packet_op::request, 1000, 5001));
  CAF_CHECK(next_op() == packet_op::rst);
  guest_says(packet_op::rw, "still here");
  CAF_CHECK_EQUAL(read_all(host.get()), "still here");
}

CAF_TEST(the service connects to the guest) {
  tell(message_kind::connect, 77, 9);
  auto request = packet();
  CAF_CHECK(request.header.op == packet_op::request);
  CAF_CHECK_EQUAL(request.header.dst_port, 77u);
  CAF_CHECK_GREATER_OR_EQUAL(request.header.src_port, 1u << 30);
  CAF_CHECK(letter().message.kind != message_kind::connected);
  auto port = request.header.src_port;
  send_packet(header(packet_op::response, port, 77));
  send_packet(header(packet_op::rw, port, 77), "first words");
  run();
  auto answer = letter();
  CAF_CHECK(answer.message.kind == message_kind::connected);
  CAF_CHECK_EQUAL(answer.message.id, 9u);
  CAF_CHECK_EQUAL(read_all(answer.carried.get()), "first words");
  write(answer.carried.get(), "reply");
  CAF_CHECK_EQUAL(packet().payload, "reply");
}

CAF_TEST(a connect that the guest refuses is told so) {
  tell(message_kind::connect, 77, 9);
  auto port = packet().header.src_port;
  send_packet(header(packet_op::rst, port, 77));
  auto answer = letter();
  CAF_CHECK(answer.message.kind == message_kind::refused);
  CAF_CHECK_EQUAL(answer.message.error, ECONNREFUSED);
  CAF_CHECK_EQUAL(made->connections(), 0u);
}

CAF_TEST(a connect without an answer ends in time and the guest is told) {
  tell(message_kind::connect, 77, 9, 2000);
  CAF_CHECK(next_op() == packet_op::request);
  advance(std::chrono::milliseconds{1999});
  run();
  CAF_CHECK(letter().message.id == 0);
  advance(std::chrono::milliseconds{1});
  auto answer = letter();
  CAF_CHECK(answer.message.kind == message_kind::refused);
  CAF_CHECK_EQUAL(answer.message.error, ETIMEDOUT);
  CAF_CHECK(next_op() == packet_op::rst);
  CAF_CHECK_EQUAL(made->connections(), 0u);
}

CAF_TEST(an abandoned connect is over without an answer) {
  tell(message_kind::connect, 77, 9);
  CAF_CHECK(next_op() == packet_op::request);
  tell(message_kind::abandon, 0, 9);
  CAF_CHECK(next_op() == packet_op::rst);
  CAF_CHECK(letter().message.id == 0);
}

CAF_TEST(a response that nobody asked for is answered by an rst) {
  send_packet(header(packet_op::response, 1 << 30, 77));
  CAF_CHECK(next_op() == packet_op::rst);
  auto host = guest_connects(1000, 5000);
  guest_says(packet_op::response);
  CAF_CHECK(next_op() == packet_op::rst);
  CAF_CHECK(at_end(host.get()));
}

CAF_TEST(data before the response end a connect) {
  tell(message_kind::connect, 77, 9);
  auto port = packet().header.src_port;
  send_packet(header(packet_op::rw, port, 77), "early");
  CAF_CHECK(next_op() == packet_op::rst);
  CAF_CHECK(letter().message.kind == message_kind::refused);
}

CAF_TEST(a request on a live connection resets it) {
  auto host = guest_connects(1000, 5000);
  guest_says(packet_op::request);
  CAF_CHECK(next_op() == packet_op::rst);
  CAF_CHECK(at_end(host.get()));
  CAF_CHECK_EQUAL(made->connections(), 0u);
}

CAF_TEST(the guest ends its direction and the host answers) {
  auto host = guest_connects(1000, 5000);
  guest_says(packet_op::rw, "question");
  guest_says(packet_op::shutdown, {}, 2);
  CAF_CHECK_EQUAL(read_all(host.get()), "question");
  CAF_CHECK(at_end(host.get()));
  write(host.get(), "answer");
  CAF_CHECK_EQUAL(packet().payload, "answer");
  host.reset();
  auto end = packet();
  CAF_CHECK(end.header.op == packet_op::shutdown);
  CAF_CHECK_EQUAL(end.header.flags, 3u);
  guest_says(packet_op::rst);
  CAF_CHECK_EQUAL(made->connections(), 0u);
  CAF_CHECK(next_op() == packet_op::invalid);
}

CAF_TEST(the guest reads no more and the host can write no more) {
  auto host = guest_connects(1000, 5000);
  guest_says(packet_op::shutdown, {}, 1);
  CAF_CHECK_EQUAL(write_error(host.get()), EPIPE);
  guest_says(packet_op::rw, "this way goes on");
  CAF_CHECK_EQUAL(read_all(host.get()), "this way goes on");
}

CAF_TEST(the guest closes and the host has everything) {
  auto host = guest_connects(1000, 5000);
  write(host.get(), "nobody reads this");
  guest_says(packet_op::rw, "last words");
  guest_says(packet_op::shutdown, {}, 3);
  CAF_CHECK_EQUAL(read_all(host.get()), "last words");
  CAF_CHECK(at_end(host.get()));
  CAF_CHECK_EQUAL(write_error(host.get()), EPIPE);
  auto last = packet();
  while (last.header.op != packet_op::rst && last.header.op != packet_op::invalid)
    last = packet();
  CAF_CHECK(last.header.op == packet_op::rst);
  CAF_CHECK_EQUAL(made->connections(), 0u);
}

CAF_TEST(a reset by the guest is an end of file then a broken pipe) {
  auto host = guest_connects(1000, 5000);
  guest_says(packet_op::rw, "before");
  write(host.get(), "unread");
  guest_says(packet_op::rst);
  CAF_CHECK_EQUAL(read_all(host.get()), "before");
  CAF_CHECK(at_end(host.get()));
  CAF_CHECK_EQUAL(write_error(host.get()), EPIPE);
}

CAF_TEST(the host ends its direction and the guest goes on) {
  auto host = guest_connects(1000, 5000);
  write(host.get(), "question");
  ::shutdown(host.get(), SHUT_WR);
  CAF_CHECK_EQUAL(packet().payload, "question");
  auto end = packet();
  CAF_CHECK(end.header.op == packet_op::shutdown);
  CAF_CHECK_EQUAL(end.header.flags, 2u);
  guest_says(packet_op::rw, "answer");
  CAF_CHECK_EQUAL(read_all(host.get()), "answer");
  guest_says(packet_op::shutdown, {}, 3);
  CAF_CHECK(at_end(host.get()));
}

CAF_TEST(the host reads no more and the guest hears of it when it sends) {
  auto host = guest_connects(1000, 5000);
  ::shutdown(host.get(), SHUT_RD);
  guest_says(packet_op::rw, "lost");
  auto end = packet();
  CAF_CHECK(end.header.op == packet_op::shutdown);
  CAF_CHECK_EQUAL(end.header.flags, 1u);
  write(host.get(), "this way goes on");
  CAF_CHECK_EQUAL(packet().payload, "this way goes on");
}

CAF_TEST(the host closes and the guest gets what it had sent) {
  auto host = guest_connects(1000, 5000);
  write(host.get(), "last words");
  host.reset();
  CAF_CHECK_EQUAL(packet().payload, "last words");
  auto end = packet();
  CAF_CHECK_EQUAL(end.header.flags, 3u);
  guest_says(packet_op::rw, "on its way");
  CAF_CHECK(next_op() == packet_op::invalid);
  guest_says(packet_op::rst);
  CAF_CHECK_EQUAL(made->connections(), 0u);
}

CAF_TEST(a guest that does not end what the host has closed is reset) {
  auto host = guest_connects(1000, 5000);
  host.reset();
  CAF_CHECK_EQUAL(packet().header.flags, 3u);
  advance(std::chrono::seconds{8});
  CAF_CHECK(next_op() == packet_op::rst);
  CAF_CHECK_EQUAL(made->connections(), 0u);
}

CAF_TEST(both have ended their direction and the connection is closed) {
  auto host = guest_connects(1000, 5000);
  guest_says(packet_op::shutdown, {}, 2);
  ::shutdown(host.get(), SHUT_WR);
  CAF_CHECK_EQUAL(packet().header.flags, 3u);
  guest_says(packet_op::shutdown, {}, 3);
  CAF_CHECK(next_op() == packet_op::rst);
  CAF_CHECK_EQUAL(made->connections(), 0u);
}

CAF_TEST(data after the guest has ended its direction are a violation) {
  auto host = guest_connects(1000, 5000);
  guest_says(packet_op::shutdown, {}, 2);
  guest_says(packet_op::rw, "more");
  CAF_CHECK(next_op() == packet_op::rst);
}

CAF_TEST(packets of unknown connections are answered by an rst but an rst is not ) {
  for (auto op : {packet_op::rw, packet_op::shutdown, packet_op::credit_update,
                  packet_op::credit_request, packet_op::invalid, packet_op{8}}) {
    guest_says(op);
    CAF_CHECK(next_op() == packet_op::rst);
  }
  guest_says(packet_op::rst);
  CAF_CHECK(next_op() == packet_op::invalid);
}

CAF_TEST(unknown operations and types leave a connection alone) {
  auto host = guest_connects(1000, 5000);
  guest_says(packet_op::invalid);
  guest_says(packet_op{99});
  CAF_CHECK(next_op() == packet_op::invalid);
  auto seqpacket = header(packet_op::rw, 1000, 5000);
  seqpacket.type = 2;
  send_packet(seqpacket, "x");
  auto answer = packet();
  CAF_CHECK(answer.header.op == packet_op::rst);
  CAF_CHECK_EQUAL(answer.header.type, 2u);
  guest_says(packet_op::rw, "alive");
  CAF_CHECK_EQUAL(read_all(host.get()), "alive");
}

CAF_TEST(packets with wrong addresses are dropped without an answer) {
  auto host = guest_connects(1000, 5000);
  auto packet_from = [&](std::uint64_t from, std::uint64_t to) {
    auto packet = header(packet_op::rw, 1000, 5000);
    packet.src_cid = from;
    packet.dst_cid = to;
    send_packet(packet, "x");
  };
  packet_from(test_cid + 1, 2);
  packet_from(test_cid, 3);
  packet_from(test_cid | 1ull << 32, 2);
  packet_from(test_cid, 2 | 1ull << 32);
  CAF_CHECK(next_op() == packet_op::invalid);
  CAF_CHECK_EQUAL(read_all(host.get()), "");
}

CAF_TEST(a credit request is answered at once) {
  auto host = guest_connects(1000, 5000);
  guest_says(packet_op::credit_request);
  auto answer = packet();
  CAF_CHECK(answer.header.op == packet_op::credit_update);
  CAF_CHECK_EQUAL(answer.header.buf_alloc, 262144u);
}

CAF_TEST_FIXTURE_SCOPE_END()
