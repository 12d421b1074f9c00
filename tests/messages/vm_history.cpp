// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/messages/vm_history.hpp"

#include <caf/test/dsl.hpp>

#include <algorithm>

#undef CAF_SUITE
#define CAF_SUITE messages.vm_history

using namespace crosvisor;

namespace {

vm_history history_of(std::initializer_list<vm_event_kind> kinds) {
  vm_history history;
  std::uint64_t seq = 0;
  for (auto kind : kinds) {
    vm_event event;
    event.seq = ++seq;
    event.kind = kind;
    add(history, event);
  }
  return history;
}

bool has(const vm_history& history, vm_event_kind kind) {
  return std::find(history.told.begin(), history.told.end(), kind) != history.told.end();
}

} // namespace

CAF_TEST(the last state event is not the last event) {
  using enum vm_event_kind;
  auto history = history_of({created, starting, started, payload_started, suspended});
  CAF_CHECK_EQUAL(history.seq, 5u);
  CAF_CHECK_EQUAL(history.last_state_event.seq, 3u);
  CAF_CHECK(history.suspended);
  CAF_CHECK(has(history, payload_started));
  CAF_CHECK(!has(history, ready));
}

CAF_TEST(a restart begins a life of which nothing was told) {
  using enum vm_event_kind;
  auto history = history_of({created, starting, started, suspended, restarting, starting});
  CAF_CHECK_EQUAL(history.restarts, 1u);
  CAF_CHECK(!history.suspended);
  CAF_CHECK(!has(history, started));
  CAF_CHECK(has(history, starting));
}

CAF_TEST(another vm under the same cid begins anew) {
  using enum vm_event_kind;
  auto history = history_of({created, starting, restarting, dead});
  vm_event event;
  event.seq = 1;
  event.kind = created;
  add(history, event);
  CAF_CHECK_EQUAL(history.seq, 1u);
  CAF_CHECK_EQUAL(history.restarts, 0u);
  CAF_CHECK_EQUAL(history.told.size(), 1u);
}

CAF_TEST(an event that is known already changes nothing) {
  using enum vm_event_kind;
  auto history = history_of({created, starting, restarting});
  vm_event event;
  event.seq = 3;
  event.kind = restarting;
  add(history, event);
  CAF_CHECK_EQUAL(history.restarts, 1u);
}
