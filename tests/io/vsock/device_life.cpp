// SPDX-License-Identifier: Apache-2.0
// Start, pause, reset and end of a VM, and what its rings and connections go through.
#include "crosvisor/tests/io/vsock/running_device.hpp"

#include <caf/test/dsl.hpp>

#include <sys/eventfd.h>
#include <sys/socket.h>

#include <map>
#include <thread>

#undef CAF_SUITE
#define CAF_SUITE io.vsock.device_life

using namespace crosvisor;
using namespace crosvisor::tests;

namespace {

struct fixture : running_device {
  void guest_says(std::string_view text) {
    send_packet(header(packet_op::rw, 1000, 5000), text);
    run();
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(device_life, fixture)

CAF_TEST(a paused VM goes on with its connections) {
  auto host = guest_connects(1000, 5000);
  guest_says("before");
  auto bases = stop_like_qemu();
  CAF_CHECK_EQUAL(bases[0], static_cast<std::uint16_t>(rx.used_index()));
  CAF_CHECK_EQUAL(bases[1], tx.avail_index());
  write(host.get(), "meanwhile");
  run();
  CAF_CHECK(!rx.has_used());
  restart_like_qemu(bases);
  CAF_CHECK_EQUAL(packet().payload, "meanwhile");
  guest_says(" after");
  CAF_CHECK_EQUAL(read_all(host.get()), "before after");
}

CAF_TEST(a VM that crosvm suspends goes on with its connections) {
  front_end vm;
  vm.make_device();
  vm.start_like_crosvm();
  vm.post_buffers(64);
  auto host = vm.guest_connects(1000, 5000);
  auto guest_says = [&](std::string_view text) {
    vm.send_packet(vm.header(packet_op::rw, 1000, 5000), text);
    vm.run();
  };
  guest_says("before");
  auto bases = vm.suspend_like_crosvm();
  CAF_CHECK_EQUAL(bases[0], static_cast<std::uint16_t>(vm.rx.used_index()));
  CAF_CHECK_EQUAL(bases[1], vm.tx.avail_index());
  CAF_CHECK_EQUAL(bases[2], 0u);
  write(host.get(), "meanwhile");
  vm.run();
  CAF_CHECK(!vm.rx.has_used());
  vm.resume_like_crosvm(bases);
  CAF_CHECK_EQUAL(vm.packet().payload, "meanwhile");
  guest_says(" after");
  CAF_CHECK_EQUAL(read_all(host.get()), "before after");
  CAF_CHECK_EQUAL(vm.made->connections(), 1u);
}

CAF_TEST(a stopped device touches no guest memory) {
  auto host = guest_connects(1000, 5000);
  stop_like_qemu();
  std::string before{reinterpret_cast<char*>(memory.base), guest_memory::size};
  write(host.get(), "meanwhile");
  kick(0);
  kick(1);
  run();
  CAF_CHECK(std::memcmp(before.data(), memory.base, before.size()) == 0);
  CAF_CHECK(!was_called(0) || !was_called(0));
}

CAF_TEST(what was sent while a ring was disabled is not lost) {
  auto host = guest_connects(1000, 5000);
  send_state(18, 1, 0);
  guest_says("kept");
  CAF_CHECK_EQUAL(read_all(host.get()), "");
  send_state(18, 1, 1);
  run();
  CAF_CHECK_EQUAL(read_all(host.get()), "kept");
}

CAF_TEST(a reset guest has no connections) {
  auto host = guest_connects(1000, 5000);
  tell(message_kind::connect, 77, 9);
  CAF_CHECK(next_op() == packet_op::request);
  stop_like_qemu();
  CAF_CHECK(!at_end(host.get()));
  rx.clear();
  tx.clear();
  restart_like_qemu({0, 0});
  run();
  CAF_CHECK(at_end(host.get()));
  auto answer = letter();
  CAF_CHECK(answer.message.kind == message_kind::refused);
  CAF_CHECK_EQUAL(answer.message.error, ENETDOWN);
  CAF_CHECK_EQUAL(made->connections(), 0u);
}

CAF_TEST(clocks stand still while the VM does) {
  auto host = guest_connects(1000, 5000);
  host.reset();
  CAF_CHECK(packet().header.op == packet_op::shutdown);
  auto bases = stop_like_qemu();
  advance(std::chrono::hours{1});
  run();
  restart_like_qemu(bases);
  CAF_CHECK(next_op() == packet_op::invalid);
  advance(std::chrono::seconds{8});
  CAF_CHECK(next_op() == packet_op::rst);
}

CAF_TEST(a connect before the driver is up waits for it or ends in time) {
  front_end early;
  early.make_device();
  early.tell(message_kind::connect, 77, 1, 1000);
  early.tell(message_kind::connect, 78, 2, 5000);
  early.advance(std::chrono::milliseconds{1000});
  auto answer = early.letter();
  CAF_CHECK_EQUAL(answer.message.id, 1u);
  CAF_CHECK_EQUAL(answer.message.error, ETIMEDOUT);
  early.start_like_crosvm();
  early.post_buffers(4);
  auto request = early.packet();
  CAF_CHECK(request.header.op == packet_op::request);
  CAF_CHECK_EQUAL(request.header.dst_port, 78u);
}

CAF_TEST(the call may change while the ring runs) {
  auto host = guest_connects(1000, 5000);
  was_called(0);
  send_u64(13, 0x100); // None: masked.
  rx.set_used_event(rx.used_index());
  write(host.get(), "x");
  CAF_CHECK_EQUAL(packet().payload, "x");
  CAF_CHECK(!was_called(0));
  send_u64(13, 0, {calls[0].get()});
  CAF_CHECK(was_called(0));
}

CAF_TEST(a call that can take no more blocks nobody) {
  auto host = guest_connects(1000, 5000);
  io::unique_fd full{::eventfd(0, EFD_CLOEXEC)};
  std::uint64_t most = 0xFFFF'FFFF'FFFF'FFFEull;
  CAF_CHECK_EQUAL(::write(full.get(), &most, sizeof(most)), 8);
  send_u64(13, 0, {full.get()});
  rx.set_used_event(rx.used_index());
  write(host.get(), "x");
  CAF_CHECK_EQUAL(packet().payload, "x");
}

CAF_TEST(the memory table may change while rings run) {
  auto host = guest_connects(1000, 5000);
  set_memory(9);
  CAF_CHECK_EQUAL(reply_u64(), 0u);
  guest_says("same memory");
  CAF_CHECK_EQUAL(read_all(host.get()), "same memory");
  // Only the first region: the tx ring lies in the second.
  auto region = memory.regions()[0];
  std::string payload(40, '\0');
  payload[0] = 1;
  std::memcpy(payload.data() + 8, &region, 32);
  send(5, payload.data(), payload.size(), {memory.fd.get()}, 9);
  CAF_CHECK_EQUAL(reply_u64(), 0u);
  std::uint64_t count = 0;
  CAF_CHECK_EQUAL(::read(errs[1].get(), &count, 8), 8);
  guest_says("not seen");
  CAF_CHECK_EQUAL(read_all(host.get()), "");
}

CAF_TEST(what the guest sent last reaches the host when the VMM dies) {
  auto host = guest_connects(1000, 5000);
  vmm.reset();
  send_packet(header(packet_op::rw, 1000, 5000), "last words");
  CAF_CHECK(turn() == device_state::ended);
  CAF_CHECK_EQUAL(read_all(host.get()), "last words");
  CAF_CHECK(at_end(host.get()));
}

CAF_TEST(what the guest sent last reaches the host when the rings stop) {
  auto host = guest_connects(1000, 5000);
  // No turn between the packet and the message.
  auto device_of_mine = std::move(made);
  send_packet(header(packet_op::rw, 1000, 5000), "last words");
  send_state(11, 1, 0);
  made = std::move(device_of_mine);
  turn();
  CAF_CHECK_EQUAL(read_all(host.get()), "last words");
}

CAF_TEST(in the end a host that reads gets all and one that does not costs a bound) {
  auto host = guest_connects(1000, 5000);
  auto deaf = guest_connects(1000, 5001);
  // All that their credit allows, so that a part is buffered.
  std::map<std::uint32_t, std::uint32_t> sent, told;
  for (auto i = 0; i < 1000; ++i)
    for (auto port : {5000u, 5001u}) {
      while (rx.has_used()) {
        auto update = packet();
        told[update.header.dst_port] = update.header.fwd_cnt;
      }
      if (sent[port] - told[port] <= 262144 - 8192) {
        send_packet(header(packet_op::rw, 1000, port), std::string(8192, 'c'));
        sent[port] += 8192;
      }
      turn();
    }
  CAF_REQUIRE_EQUAL(made->connections(), 2u);
  vmm.reset();
  std::size_t got = 0;
  std::thread reader{[&] {
    ::fcntl(host.get(), F_SETFL, 0);
    std::string bytes(65536, '\0');
    for (ssize_t count; (count = ::recv(host.get(), bytes.data(), bytes.size(), 0)) > 0;)
      got += static_cast<std::size_t>(count);
  }};
  auto began = std::chrono::steady_clock::now();
  CAF_CHECK(turn() == device_state::ended);
  auto took = std::chrono::steady_clock::now() - began;
  CAF_CHECK(took >= std::chrono::milliseconds{499} && took < std::chrono::milliseconds{990});
  reader.join();
  CAF_CHECK_EQUAL(got, sent[5000]);
}

CAF_TEST_FIXTURE_SCOPE_END()
