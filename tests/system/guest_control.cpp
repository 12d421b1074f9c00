// SPDX-License-Identifier: Apache-2.0
// What can be asked of a real guest while it runs, and after its end.
#include "crosvisor/tests/system/guest_vm.hpp"

#include <caf/test/dsl.hpp>

#undef CAF_SUITE
#define CAF_SUITE guest.control

using namespace crosvisor;
using namespace crosvisor::tests;
using namespace std::chrono_literals;

namespace {

/// Starts a guest that counts on its console, and waits for its count.
struct ticking_guest {
  explicit ticking_guest(guest_host& host) : vm(host, guest_plan{"tick"}.console(console)) {
    vm.start();
    await(3);
  }

  void await(int count) {
    if (!console.wait_for("tick " + std::to_string(count) + "\r\n", boot_bound))
      CAF_FAIL("no tick " << count << "; the guest said: " << console.text());
  }

  /// The last one that came whole.
  int last() const {
    auto at = console.text().rfind("tick ", console.text().rfind("\r\n"));
    return std::stoi(console.text().substr(at + 5));
  }

  output_pipe console;
  guest_vm vm;
};

constexpr std::uint64_t mib = 1u << 20;

} // namespace

CAF_TEST_FIXTURE_SCOPE(guest_control, guest_host)

CAF_TEST(a suspended guest stands still and goes on where it stood) {
  ticking_guest guest{*this};
  CAF_CHECK(guest.vm.demand<vm_info>(suspend_atom::value).suspended);
  guest.vm.await(vm_event_kind::suspended);
  CAF_REQUIRE(guest.console.wait_for_silence(1s, step_bound));
  auto stood_at = guest.last();
  CAF_CHECK(guest.console.wait_for_silence(1s, 1s));
  CAF_CHECK_EQUAL(guest.last(), stood_at);
  CAF_CHECK(guest.vm.state().suspended);

  CAF_CHECK(!guest.vm.demand<vm_info>(resume_atom::value).suspended);
  guest.vm.await(vm_event_kind::resumed);
  guest.await(stood_at + 5);
}

CAF_TEST(suspending twice and resuming twice is fine) {
  ticking_guest guest{*this};
  CAF_CHECK(guest.vm.demand<vm_info>(suspend_atom::value).suspended);
  CAF_CHECK(guest.vm.demand<vm_info>(suspend_atom::value).suspended);
  CAF_CHECK(!guest.vm.demand<vm_info>(resume_atom::value).suspended);
  CAF_CHECK(!guest.vm.demand<vm_info>(resume_atom::value).suspended);
  guest.await(guest.last() + 1);
}

CAF_TEST(a stop wakes a suspended guest up so that it powers off) {
  ticking_guest guest{*this};
  guest.vm.demand<vm_info>(suspend_atom::value);
  guest.vm.demand<vm_info>(stop_atom::value, caf::timespan{step_bound});
  CAF_CHECK_EQUAL(summary_of(guest.vm.await_death()), "shutdown, code 0");
}

CAF_TEST(a balloon takes memory from the guest and gives it back) {
  ticking_guest guest{*this};
  auto balloon = [&] {
    return guest.vm.demand<balloon_info>(caf::get_atom::value, balloon_atom::value);
  };
  CAF_CHECK_EQUAL(balloon().memory_bytes, 128 * mib);
  CAF_CHECK_EQUAL(balloon().size_bytes, 0u);
  for (auto size : {16 * mib, 0 * mib}) {
    guest.vm.demand<caf::ok_atom>(caf::put_atom::value, balloon_atom::value, size);
    // The guest inflates it at its own pace, so ask again with each of its ticks.
    for (auto tries = 0; tries < 100 && balloon().size_bytes != size; ++tries)
      guest.await(guest.last() + 1);
    CAF_CHECK_EQUAL(balloon().size_bytes, size);
  }
}

CAF_TEST(a balloon larger than the guest is refused and changes nothing) {
  ticking_guest guest{*this};
  auto answer = guest.vm.ask<caf::ok_atom>(caf::put_atom::value, balloon_atom::value, 129 * mib);
  auto* why = std::get_if<caf::error>(&answer);
  CAF_REQUIRE(why != nullptr);
  CAF_CHECK(*why == caf::make_error(vm_errc::invalid_config));
  guest.await(guest.last() + 1);
}

CAF_TEST(who subscribes after the death is told of it and of its reason) {
  guest_vm vm{*this, guest_plan{"reboot"}};
  vm.start();
  auto death = vm.await_death();
  caf::scoped_actor late{system()};
  late->request(vm.handle(), step_bound, caf::subscribe_atom::value)
    .receive([](const vm_info& info) { CAF_CHECK_EQUAL(to_string(info.reason), "reboot"); },
             [](const caf::error& why) { CAF_ERROR(sentence_of(why)); });
  late->receive(
    [&](const vm_event& event) {
      CAF_CHECK_EQUAL(event.seq, death.seq);
      CAF_CHECK_EQUAL(summary_of(event), "reboot, code 0");
    },
    caf::after(step_bound) >> [] { CAF_ERROR("a late subscriber was told nothing"); });
}

CAF_TEST(what needs a running guest is refused once it is dead) {
  guest_vm vm{*this, guest_plan{"poweroff"}};
  vm.start();
  vm.await_death();
  auto wrong_state = caf::make_error(vm_errc::wrong_state);
  auto suspended = vm.ask<vm_info>(suspend_atom::value);
  CAF_REQUIRE(std::holds_alternative<caf::error>(suspended));
  CAF_CHECK(std::get<caf::error>(suspended) == wrong_state);
  auto started = vm.ask<vm_info>(start_atom::value);
  CAF_REQUIRE(std::holds_alternative<caf::error>(started));
  CAF_CHECK(std::get<caf::error>(started) == wrong_state);
  CAF_CHECK_EQUAL(to_string(vm.demand<vm_info>(kill_atom::value).reason), "shutdown");
}

CAF_TEST_FIXTURE_SCOPE_END()
