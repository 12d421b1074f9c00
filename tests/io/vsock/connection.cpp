// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/vsock/connection.hpp"

#include "crosvisor/io/vsock/connection_table.hpp"

#include <caf/test/dsl.hpp>

#undef CAF_SUITE
#define CAF_SUITE io.vsock.connection

using namespace crosvisor::io::vsock;

namespace {

packet_header from_guest(packet_op op, std::uint32_t flags = 0, std::uint32_t length = 0) {
  packet_header packet;
  packet.op = op;
  packet.flags = flags;
  packet.len = length;
  packet.buf_alloc = 1000;
  return packet;
}

packet_op next(connection& from) {
  auto owed = from.owed();
  if (!owed)
    return packet_op::invalid;
  from.sent(*owed);
  return owed->op;
}

} // namespace

CAF_TEST(a connection of the guest owes a response and one of the host a request) {
  connection guests{{1, 2}, connection_phase::established, 1000};
  CAF_CHECK(next(guests) == packet_op::response);
  CAF_CHECK(next(guests) == packet_op::invalid);
  connection hosts{{1, 2}, connection_phase::requesting, 1000};
  CAF_CHECK(!hosts.is_known_to_guest());
  CAF_CHECK(next(hosts) == packet_op::request);
  CAF_CHECK(hosts.is_known_to_guest());
  CAF_CHECK(hosts.receive(from_guest(packet_op::response)) == verdict::opened);
  CAF_CHECK(hosts.receive(from_guest(packet_op::response)) == verdict::violation);
}

CAF_TEST(a response before the request is a violation) {
  connection hosts{{1, 2}, connection_phase::requesting, 1000};
  CAF_CHECK(hosts.receive(from_guest(packet_op::response)) == verdict::violation);
  CAF_CHECK(hosts.receive(from_guest(packet_op::shutdown, 3)) == verdict::violation);
  CAF_CHECK(hosts.receive(from_guest(packet_op::rw, 0, 1)) == verdict::violation);
}

CAF_TEST(ends of a direction add up) {
  connection one{{1, 2}, connection_phase::established, 1000};
  CAF_CHECK(one.receive(from_guest(packet_op::shutdown, 0xF0)) == verdict::shut);
  CAF_CHECK_EQUAL(one.guest_shut(), 0u);
  one.receive(from_guest(packet_op::shutdown, 1));
  CAF_CHECK(!one.is_finished());
  one.receive(from_guest(packet_op::shutdown, 2));
  CAF_CHECK_EQUAL(one.guest_shut(), 3u);
  CAF_CHECK(one.is_finished());
}

CAF_TEST(a reset connection owes an rst and hears nothing but one) {
  connection one{{1, 2}, connection_phase::established, 1000};
  one.reset();
  CAF_CHECK(one.receive(from_guest(packet_op::rw, 0, 5000)) == verdict::none);
  CAF_CHECK(one.receive(from_guest(packet_op::request)) == verdict::none);
  CAF_CHECK(next(one) == packet_op::rst);
  CAF_CHECK(one.receive(from_guest(packet_op::rst)) == verdict::gone);
}

CAF_TEST(data count until they are forwarded) {
  connection one{{1, 2}, connection_phase::established, 1000};
  next(one);
  CAF_CHECK(one.receive(from_guest(packet_op::rw, 0, 0)) == verdict::none);
  CAF_CHECK(one.receive(from_guest(packet_op::rw, 0, 1000)) == verdict::data);
  CAF_CHECK(next(one) == packet_op::invalid);
  one.forward(500);
  CAF_CHECK(next(one) == packet_op::credit_update);
  CAF_CHECK(one.receive(from_guest(packet_op::rw, 0, 501)) == verdict::violation);
}

CAF_TEST(the guest hears of each end once) {
  connection one{{1, 2}, connection_phase::established, 1000};
  next(one);
  one.host_ended();
  CAF_CHECK_EQUAL(one.owed().value_or(packet_header{}).flags, 2u);
  CAF_CHECK(next(one) == packet_op::shutdown);
  CAF_CHECK(next(one) == packet_op::invalid);
  one.host_hung_up();
  CAF_CHECK_EQUAL(one.owed().value_or(packet_header{}).flags, 3u);
  CAF_CHECK(next(one) == packet_op::shutdown);
  CAF_CHECK(one.phase() == connection_phase::closing);
  CAF_CHECK(next(one) == packet_op::invalid);
}

CAF_TEST(the table finds connections by key and token and takes turns) {
  connection_table table;
  auto& a = table.add({1, 1}, connection_phase::established);
  auto& b = table.add({1, 2}, connection_phase::established);
  CAF_CHECK(table.find({1, 2}) == &b);
  CAF_CHECK(table.find({2, 1}) == nullptr);
  auto token = table.token_of(a);
  CAF_CHECK(table.at(token) == &a);
  table.enqueue(a);
  table.enqueue(b);
  table.enqueue(a);
  CAF_CHECK(table.dequeue() == &a);
  table.enqueue(a);
  CAF_CHECK(table.dequeue() == &b);
  table.remove(a);
  CAF_CHECK(table.dequeue() == nullptr);
  CAF_CHECK(table.at(token) == nullptr);
  auto& c = table.add({1, 1}, connection_phase::established);
  CAF_CHECK(table.token_of(c) != token);
  CAF_CHECK_EQUAL(table.size(), 2u);
}

CAF_TEST(few connections have a large window and all others a small one) {
  connection_table table;
  std::uint64_t sum = 0;
  for (auto i = 0u; i < connection_table::limit; ++i)
    sum += table.add({1, i}, connection_phase::established).header(packet_op::rw).buf_alloc;
  CAF_CHECK(table.is_full());
  CAF_CHECK_EQUAL(sum, 64u * 262144 + 960u * 65536);
}
