// SPDX-License-Identifier: Apache-2.0
// Real guests that talk with their host over vsock.
#include "crosvisor/tests/system/guest_stream.hpp"
#include "crosvisor/tests/system/guest_vm.hpp"

#include <caf/test/dsl.hpp>

#include <csignal>
#include <fstream>
#include <thread>

#undef CAF_SUITE
#define CAF_SUITE guest.vsock

using namespace crosvisor;
using namespace crosvisor::tests;
using namespace std::chrono_literals;

namespace {

// Where the demo guest listens; see docs/guest-protocol.md.
constexpr std::uint32_t echo_port = 7001, sink_port = 7002, source_port = 7003, deaf_port = 7004,
                        resetter_port = 7005;

guest_plan plan(const std::string& action) {
  guest_plan made{action};
  made.config.guest_protocol = true;
  return made;
}

/// A guest that serves, and is ready to.
struct serving_guest : guest_vm {
  explicit serving_guest(guest_host& host, guest_plan with = plan("serve"))
      : guest_vm(host, std::move(with)) {
    start();
    await(vm_event_kind::ready);
  }

  std::string refusal_of(std::uint32_t port) {
    auto outcome = ask<vsock_socket>(caf::connect_atom::value, port, caf::timespan{20s});
    if (auto* why = std::get_if<caf::error>(&outcome))
      return to_string(static_cast<vm_errc>(why->code()));
    return "connected";
  }
};

/// The child of this process that runs crosvisor-vsock.
pid_t device_pid() {
  for (auto pid : child_pids()) {
    std::string name;
    std::getline(std::ifstream{"/proc/" + std::to_string(pid) + "/comm"}, name);
    if (name == "crosvisor-vsock")
      return pid;
  }
  return 0;
}

bool echoes(guest_stream& to, const std::string& text) {
  return to.send(text) && to.receive(text.size()) == text;
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(guest_vsock, guest_host)

CAF_TEST(a payload writes and tells its exit code) {
  guest_vm vm{*this, plan("exit:7")};
  auto output = vm.open_output();
  vm.start();
  auto death = vm.await_death();
  CAF_CHECK_EQUAL(vm.kinds(), "created starting started payload_started ready finished dead");
  CAF_CHECK_EQUAL(summary_of(death), "shutdown, code 0");
  CAF_CHECK(death.payload.finished);
  CAF_CHECK_EQUAL(death.payload.exit_code, 7);
  CAF_CHECK_EQUAL(output.receive_all(), "The payload exits 7.\n");
  auto late = vm.open_output();
  CAF_CHECK_EQUAL(late.receive_all(), "The payload exits 7.\n");
}

CAF_TEST(much output is whole though its reader comes late) {
  constexpr std::uint64_t count = 48u << 20;
  guest_vm vm{*this, plan("send:" + std::to_string(count))};
  auto output = vm.open_output();
  vm.start();
  vm.await(vm_event_kind::payload_started);
  CAF_CHECK_EQUAL(output.receive_pattern(), count);
  vm.await_death();
}

CAF_TEST(a host finds its guest by port in both directions) {
  serving_guest vm{*this};
  auto echo = vm.connect(echo_port);
  CAF_CHECK(echoes(echo, "hello"));
  CAF_CHECK(echo.send("the end"));
  echo.half_close();
  CAF_CHECK_EQUAL(echo.receive_all(), "the end");
  auto source = vm.connect(source_port);
  CAF_CHECK(source.send("100000\n"));
  CAF_CHECK_EQUAL(source.receive_pattern(), 100'000u);
  CAF_CHECK_EQUAL(vm.refusal_of(7999), "connection_refused");
  CAF_CHECK_EQUAL(vm.refusal_of(1023), "denied");
  vm.demand<vm_info>(kill_atom::value);
  CAF_CHECK_EQUAL(vm.refusal_of(echo_port), "wrong_state");
  CAF_CHECK(echo.ends_within(1s));
}

CAF_TEST(
  a guest is refused at once where nobody serves and connects in numbers where somebody does) {
  for (auto [ports, words] :
       {std::pair{"connect:4444:20", "vsock: 0 of 20 connections made, 20 reset"},
        {"connect:3000:10", "vsock: 10 of 10 connections made, 0 reset"}}) {
    output_pipe console;
    auto next = plan(ports);
    guest_vm vm{*this, std::move(next.console(console))};
    vm.start();
    CAF_CHECK(console.wait_for(words, boot_bound));
    vm.await_death();
  }
}

CAF_TEST(two hundred connections at once have their own bytes each) {
  serving_guest vm{*this};
  std::vector<guest_stream> all;
  for (auto i = 0; i < 200; ++i)
    all.push_back(vm.connect(echo_port));
  for (std::size_t i = 0; i < all.size(); ++i)
    CAF_CHECK(all[i].send("connection " + std::to_string(i) + "\n"));
  auto whole = 0u;
  for (std::size_t i = 0; i < all.size(); ++i) {
    auto text = "connection " + std::to_string(i) + "\n";
    whole += all[i].receive(text.size()) == text ? 1u : 0u;
  }
  CAF_CHECK_EQUAL(whole, all.size());
}

CAF_TEST(a quarter of a GiB arrives whole each way) {
  constexpr std::uint64_t count = 256u << 20;
  serving_guest vm{*this};
  auto sink = vm.connect(sink_port);
  CAF_CHECK(sink.send_pattern(count));
  sink.half_close();
  CAF_CHECK_EQUAL(sink.receive_all(), pattern_receipt(count));
  auto source = vm.connect(source_port);
  CAF_CHECK(source.send(std::to_string(count) + "\n"));
  CAF_CHECK_EQUAL(source.receive_pattern(), count);
}

CAF_TEST(what one connection suffers is nothing to another) {
  serving_guest vm{*this};
  auto deaf = vm.connect(deaf_port);
  auto taken = deaf.send_until_full();
  CAF_CHECK_GREATER(taken, 0u);
  CAF_CHECK_LESS(taken, 4u << 20);
  auto echo = vm.connect(echo_port);
  CAF_CHECK(echoes(echo, "beside a guest that does not read"));
  auto reset = vm.connect(resetter_port);
  CAF_CHECK(!reset.send_pattern(64u << 20)); // It breaks on the way.
  CAF_CHECK(echoes(echo, "beside a connection that was reset"));
  vm.demand<vm_info>(suspend_atom::value);
  CAF_CHECK(echo.send("while suspended"));
  vm.demand<vm_info>(resume_atom::value);
  CAF_CHECK_EQUAL(echo.receive(15), "while suspended");
}

CAF_TEST(a lost device is its own reason of death) {
  serving_guest vm{*this};
  auto echo = vm.connect(echo_port);
  auto pid = device_pid();
  CAF_REQUIRE_GREATER(pid, 0);
  ::kill(pid, SIGKILL);
  auto death = vm.await_death();
  CAF_CHECK_EQUAL(to_string(death.reason), "crash");
  CAF_CHECK_EQUAL(death.exit.detail, "its vsock device ended: signal 9");
  CAF_CHECK(echo.ends_within(1s));
}

CAF_TEST(all connections end with the VMM) {
  serving_guest vm{*this};
  std::vector<guest_stream> all;
  for (auto i = 0; i < 20; ++i)
    all.push_back(vm.connect(echo_port));
  ::kill(vm.state().vmm_pid, SIGKILL);
  auto ended = std::count_if(all.begin(), all.end(), [](auto& one) { return one.ends_within(1s); });
  CAF_CHECK_EQUAL(ended, 20);
  CAF_CHECK_EQUAL(summary_of(vm.await_death()), "killed, signal 9");
}

CAF_TEST(ten guests together each have their own bytes) {
  std::vector<std::unique_ptr<guest_vm>> vms;
  std::vector<guest_stream> outputs;
  for (auto i = 1; i <= 10; ++i) {
    auto next = plan("exit:" + std::to_string(i));
    vms.push_back(std::make_unique<guest_vm>(*this, std::move(next.memory(96))));
    outputs.push_back(vms.back()->open_output());
  }
  for (auto& vm : vms)
    vm->begin_start();
  for (std::size_t i = 0; i < vms.size(); ++i) {
    auto death = vms[i]->await_death(300s);
    auto code = static_cast<int>(i) + 1;
    CAF_CHECK_EQUAL(death.payload.exit_code, code);
    CAF_CHECK_EQUAL(outputs[i].receive_all(), "The payload exits " + std::to_string(code) + ".\n");
  }
}

CAF_TEST(a guest that never says that it started has hung) {
  auto next = plan("silent");
  next.config.started_timeout_s = 8;
  guest_vm vm{*this, std::move(next)};
  vm.start();
  CAF_CHECK_EQUAL(to_string(vm.await_death().reason), "hangup");
}

CAF_TEST(an early failure is the reason of death) {
  guest_vm vm{*this, plan("fail:MICRODROID_PAYLOAD_HAS_CHANGED")};
  vm.start();
  auto death = vm.await_death();
  CAF_CHECK_EQUAL(to_string(death.reason), "microdroid_payload_has_changed");
  CAF_CHECK_EQUAL(death.exit.detail, "the demo was told to fail");
}

CAF_TEST_FIXTURE_SCOPE_END()
