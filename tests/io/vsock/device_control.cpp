// SPDX-License-Identifier: Apache-2.0
// What VMMs say, and what they get for it.
#include "crosvisor/tests/io/vsock/front_end.hpp"

#include <caf/test/dsl.hpp>

#include <sys/socket.h>

#undef CAF_SUITE
#define CAF_SUITE io.vsock.device_control

using namespace crosvisor;
using namespace crosvisor::tests;

namespace {

struct fixture : front_end {
  fixture() { make_device(); }

  // A reply's bytes as they must be.
  static std::string expected(std::uint32_t request, const std::string& payload) {
    vhost_header header{request, 5, static_cast<std::uint32_t>(payload.size())};
    return std::string{reinterpret_cast<const char*>(&header), sizeof(header)} + payload;
  }

  template <class T>
  static std::string raw(T value) {
    return {reinterpret_cast<const char*>(&value), sizeof(value)};
  }

  std::string config(std::uint32_t offset, std::uint32_t size, std::uint32_t flags,
                     std::size_t data) {
    auto payload = raw(offset) + raw(size) + raw(flags) + std::string(data, '\0');
    send(24, payload.data(), payload.size());
    return reply();
  }

  std::string config_reply(std::uint32_t offset, std::uint32_t flags, const std::string& data) {
    return expected(24,
                    raw(offset) + raw(static_cast<std::uint32_t>(data.size())) + raw(flags) + data);
  }

  void negotiate() {
    send_u64(16, 0x209);
    send_u64(2, 0x1'6000'0000);
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(device_control, fixture)

CAF_TEST(questions get exactly the bytes that both VMMs take) {
  send(1, nullptr, 0);
  CAF_CHECK(reply() == expected(1, raw(std::uint64_t{0x1'6000'0000})));
  send(15, nullptr, 0);
  CAF_CHECK(reply() == expected(15, raw(std::uint64_t{0x209})));
  send(17, nullptr, 0);
  CAF_CHECK(reply() == expected(17, raw(std::uint64_t{3})));
}

CAF_TEST(the configuration is the cid and zeros behind it) {
  std::string cid{"\x2A\0\0\0\0\0\0\0", 8};
  CAF_CHECK(config(0, 8, 0, 8) == config_reply(0, 0, cid));
  CAF_CHECK(config(0, 4, 1, 4) == config_reply(0, 1, cid.substr(0, 4)));
  CAF_CHECK(config(4, 4, 1, 4) == config_reply(4, 1, std::string(4, '\0')));
  CAF_CHECK(config(0, 16, 0, 16) == config_reply(0, 0, cid + std::string(8, '\0')));
  CAF_CHECK(config(256, 256, 0, 256) == config_reply(256, 0, std::string(256, '\0')));
}

CAF_TEST(a read of the configuration that is none gets an empty one) {
  CAF_CHECK(config(0, 8, 0, 4) == config_reply(0, 0, {}));
  CAF_CHECK(config(0, 257, 0, 257) == config_reply(0, 0, {}));
  CAF_CHECK(config(0xFFFFFFFF, 8, 0, 8) == config_reply(0xFFFFFFFF, 0, {}));
}

CAF_TEST(what is to be acknowledged is) {
  negotiate();
  set_memory(9);
  CAF_CHECK(reply() == expected(5, raw(std::uint64_t{0})));
  send_state(18, 0, 1, 9);
  CAF_CHECK(reply() == expected(18, raw(std::uint64_t{0})));
  send_state(18, 0, 1, 1);
  CAF_CHECK_EQUAL(reply(), "");
}

CAF_TEST(nothing is acknowledged before that was agreed) {
  set_memory(9);
  CAF_CHECK_EQUAL(reply(), "");
}

CAF_TEST(unknown messages are refused or passed over) {
  send_u64(99, 1);
  CAF_CHECK_EQUAL(reply(), "");
  negotiate();
  send_u64(99, 1, {}, 9);
  CAF_CHECK_EQUAL(reply_u64(), 1u);
  send(34, nullptr, 0);
  send(4, nullptr, 0);
  CAF_CHECK(turn() == device_state::running);
}

CAF_TEST(the configuration can not be written) {
  negotiate();
  std::string payload(20, '\0');
  payload[4] = 8;
  send(25, payload.data(), payload.size(), {}, 9);
  CAF_CHECK_EQUAL(reply_u64(), 1u);
}

CAF_TEST(either order of messages starts the rings) {
  start_like_qemu();
  post_buffers(4);
  send_packet(header(packet_op::request, 1, 1));
  CAF_CHECK(next_op() == packet_op::rst);
  front_end other;
  other.make_device();
  other.start_like_crosvm();
  other.post_buffers(4);
  other.send_packet(other.header(packet_op::request, 1, 1));
  CAF_CHECK(other.next_op() == packet_op::rst);
  CAF_CHECK(other.was_called(0));
}

CAF_TEST(the largest ring of crosvm is taken) {
  front_end large{32768};
  large.make_device();
  large.start_like_crosvm();
  large.post_buffers(16, 100);
  large.send_packet(large.header(packet_op::request, 1, 1));
  CAF_CHECK(large.next_op() == packet_op::rst);
}

CAF_TEST(the end of either socket ends the device) {
  vmm.reset();
  CAF_CHECK(turn() == device_state::ended);
  front_end other;
  other.make_device();
  other.service.reset();
  other.run();
  CAF_CHECK(other.turn() == device_state::ended);
}

CAF_TEST(a message that ends in the middle ends the device as well) {
  ::send(vmm.get(), "\1\0\0\0\1\0", 6, 0);
  CAF_CHECK(turn() == device_state::running);
  vmm.reset();
  CAF_CHECK(turn() == device_state::ended);
}

CAF_TEST(a message may come in pieces) {
  auto whole = expected(17, {});
  whole[4] = 1;
  for (auto byte : whole) {
    CAF_CHECK_EQUAL(reply(), "");
    ::send(vmm.get(), &byte, 1, 0);
  }
  CAF_CHECK_EQUAL(reply_u64(), 3u);
}

CAF_TEST(what no VMM sends fails the device) {
  struct row {
    const char* what;
    std::function<void(front_end&)> send;
  };
  auto fd = memory.fd.get();
  std::vector<row> rows{
    {"version 2", [](front_end& f) { f.send(1, nullptr, 0, {}, 2); }},
    {"a reply", [](front_end& f) { f.send(1, nullptr, 0, {}, 5); }},
    {"too long", [](front_end& f) { f.send(2, std::string(5000, 'x').data(), 5000); }},
    {"descriptors with a question", [fd](front_end& f) { f.send(1, nullptr, 0, {fd}); }},
    {"too many descriptors",
     [fd](front_end& f) { f.send(5, std::string(40, 'x').data(), 40, std::vector<int>(40, fd)); }},
    {"features not offered", [](front_end& f) { f.send_u64(2, 0x1'6000'0001); }},
    {"protocol features not offered", [](front_end& f) { f.send_u64(16, 0x20B); }},
    {"features of four bytes", [](front_end& f) { f.send(2, "abcd", 4); }},
    {"ring 3", [](front_end& f) { f.send_state(8, 3, 128); }},
    {"ring size 100", [](front_end& f) { f.send_state(8, 0, 100); }},
    {"ring size 0", [](front_end& f) { f.send_state(8, 0, 0); }},
    {"ring size 65536", [](front_end& f) { f.send_state(8, 0, 65536); }},
    {"base of ring 3", [](front_end& f) { f.send_state(11, 3, 0); }},
    {"a kick without its descriptor", [](front_end& f) { f.send_u64(12, 0); }},
    {"a kick with one it denies", [fd](front_end& f) { f.send_u64(12, 0x100, {fd}); }},
    {"a kick that is a file", [fd](front_end& f) { f.send_u64(12, 0, {fd}); }},
    {"a call with two",
     [fd](front_end& f) {
       f.send_u64(13, 0, {fd, fd});
     }},
    {"enable 2", [](front_end& f) { f.send_state(18, 0, 2); }},
    {"a question not offered", [](front_end& f) { f.send(36, nullptr, 0); }},
    {"memory without files",
     [](front_end& f) { f.send(5, std::string("\1\0\0\0\0\0\0\0", 8).data(), 8); }},
  };
  for (auto& row : rows) {
    CAF_MESSAGE(row.what);
    front_end other;
    other.make_device();
    row.send(other);
    CAF_CHECK(other.turn() == device_state::failed);
    CAF_CHECK_EQUAL(other.lines.size(), 1u);
  }
}

CAF_TEST(a running ring can not be changed) {
  start_like_qemu();
  send_state(8, 0, 64, 9);
  CAF_CHECK_EQUAL(reply_u64(), 1u);
  send_state(10, 0, 7, 9);
  CAF_CHECK_EQUAL(reply_u64(), 1u);
}

CAF_TEST(a ring outside memory is not run and its error is signalled) {
  handshake_like_qemu();
  send_u64(2, 0x1'6000'0000);
  set_memory(9);
  CAF_CHECK_EQUAL(reply_u64(), 0u);
  send_state(8, 1, 128);
  vring_address address{1,
                        0,
                        guest_memory::low_vmm + guest_memory::low_size - 64,
                        guest_memory::low_vmm,
                        guest_memory::low_vmm + 0x8000,
                        0};
  send(9, &address, sizeof(address));
  send_u64(12, 1, {kicks[1].get()});
  send_state(18, 1, 1);
  CAF_CHECK_EQUAL(lines.size(), 1u);
  std::uint64_t count = 0;
  CAF_CHECK_EQUAL(::read(errs[1].get(), &count, 8), 8);
  CAF_CHECK(turn() == device_state::running);
}

CAF_TEST(what no service sends fails the device) {
  tell(message_kind::opened, 1);
  CAF_CHECK(turn() == device_state::failed);
  front_end shorter;
  shorter.make_device();
  ::send(shorter.service.get(), "abc", 3, 0);
  shorter.run();
  CAF_CHECK(shorter.turn() == device_state::failed);
  front_end zero;
  zero.make_device();
  zero.tell(message_kind::connect, 5, 0);
  zero.run();
  CAF_CHECK(zero.turn() == device_state::failed);
}

CAF_TEST_FIXTURE_SCOPE_END()
