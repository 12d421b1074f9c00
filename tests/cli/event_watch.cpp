// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/event_watch.hpp"

#include "crosvisor/cli/exit_code.hpp"
#include "crosvisor/tests/cli/fake_connection.hpp"

#include <caf/test/dsl.hpp>

#undef CAF_SUITE
#define CAF_SUITE cli.event_watch

using namespace crosvisor;
using namespace crosvisor::cli;
using namespace crosvisor::tests;

namespace {

using door = door_answers::door;
using kind = vm_event_kind;

void tell(door self, const caf::strong_actor_ptr& whom, const vm_event& event) {
  self->send(caf::actor_cast<subscriber_actor>(whom), event);
}

struct fixture {
  /// `created:1 dead:5`, and how the watch ended.
  std::string watched(vm_cid cid, bool history = false, std::size_t most = 1000) {
    std::string words;
    std::size_t count = 0;
    event_watch_options options;
    options.cid = cid;
    options.history = history;
    options.on_event = [&](const vm_event& event) {
      words += to_string(event.kind) + ':' + std::to_string(event.seq) + ' ';
      return ++count < most;
    };
    auto ended = watch_events(service, options);
    const auto* end = std::get_if<early_end>(&ended);
    return words + (end == nullptr ? "done" : end->what);
  }

  fake_connection service;
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(event_watch_tests, fixture)

CAF_TEST(one VM is watched until it is dead) {
  service.answers->subscribe = [](door self, vm_cid cid) -> caf::result<vm_info> {
    for (auto [what, seq] : {std::pair{kind::started, 3}, {kind::started, 3}, {kind::dead, 4}})
      tell(self, self->current_sender(), sample_event(what, static_cast<std::uint64_t>(seq), cid));
    return sample_vm(cid);
  };
  CAF_CHECK_EQUAL(watched(2048), "started:3 dead:4 done");
}

CAF_TEST(with its history the VM alone is shown and nothing twice) {
  service.answers->watch = [](door self, bool history) -> caf::result<caf::ok_atom> {
    CAF_CHECK(history);
    tell(self, self->current_sender(), sample_event(kind::created, 1));
    tell(self, self->current_sender(), sample_event(kind::created, 1, 2049));
    tell(self, self->current_sender(), sample_event(kind::started, 3));
    return caf::ok_atom::value;
  };
  service.answers->subscribe = [](door self, vm_cid cid) -> caf::result<vm_info> {
    tell(self, self->current_sender(), sample_event(kind::started, 3));
    tell(self, self->current_sender(), sample_event(kind::dead, 4));
    return sample_vm(cid);
  };
  CAF_CHECK_EQUAL(watched(2048, true), "created:1 started:3 dead:4 done");
}

CAF_TEST(all VMs are watched until nobody wants more) {
  service.answers->watch = [](door self, bool history) -> caf::result<caf::ok_atom> {
    CAF_CHECK(!history);
    tell(self, self->current_sender(), sample_event(kind::dead, 9));
    tell(self, self->current_sender(), sample_event(kind::created, 1, 2049));
    return caf::ok_atom::value;
  };
  CAF_CHECK_EQUAL(watched(no_cid, false, 2), "dead:9 created:1 done");
}

CAF_TEST(a watch that is denied says so) {
  service.answers->watch = [](door, bool) -> caf::result<caf::ok_atom> {
    return caf::make_error(vm_errc::denied, "uid 1 lacks \"debug\"");
  };
  CAF_CHECK(watched(no_cid).starts_with("permission denied by crosvisord: uid 1 lacks"));
}

CAF_TEST(a daemon of this host that is lost ends the watch) {
  service.answers->watch = [this](door, bool) -> caf::result<caf::ok_atom> {
    service.lose();
    return caf::ok_atom::value;
  };
  CAF_CHECK_EQUAL(watched(no_cid), "lost the connection to unix:/run/crosvisor/crosvisord.sock");
  CAF_CHECK_EQUAL(service.reconnects, 0);
}

CAF_TEST(a service of another host is connected to again and repeats nothing) {
  service.at = {endpoint_kind::tls, "", "far.example", 7443};
  service.refused_reconnects = 1;
  bool first = true;
  service.answers->watch = [&](door self, bool history) -> caf::result<caf::ok_atom> {
    CAF_CHECK_EQUAL(history, !first);
    tell(self, self->current_sender(), sample_event(kind::started, 3));
    if (std::exchange(first, false)) {
      self->quit(caf::exit_reason::kill);
      return caf::ok_atom::value;
    }
    tell(self, self->current_sender(), sample_event(kind::created, 1, 2040)); // Long ago.
    tell(self, self->current_sender(), sample_event(kind::ready, 4));
    tell(self, self->current_sender(), sample_event(kind::created, 7, 2050)); // Missed.
    return caf::ok_atom::value;
  };
  CAF_CHECK_EQUAL(watched(no_cid, false, 3), "started:3 ready:4 created:7 done");
  CAF_CHECK_EQUAL(service.reconnects, 2);
}

CAF_TEST_FIXTURE_SCOPE_END()

CAF_TEST(another VM with the same CID is new) {
  event_filter filter;
  CAF_CHECK(filter.heard_nothing());
  CAF_CHECK(filter.is_new(sample_event(kind::dead, 9)));
  CAF_CHECK(!filter.heard_nothing());
  CAF_CHECK(!filter.is_new(sample_event(kind::dead, 9)));
  CAF_CHECK(!filter.is_new(sample_event(kind::created, 1)));
  auto later = sample_event(kind::created, 1);
  later.time_ms += 1000;
  CAF_CHECK(filter.is_new(later));
}

CAF_TEST(an event is a line for people) {
  auto event = sample_event(kind::starting, 2);
  event.detail = "qemu, tcg\x1b";
  CAF_CHECK_EQUAL(event_line(event, term{}),
                  "2027-01-15T08:00:00.002Z  2048  demo        starting    qemu, tcg\\x1b\n");
  auto dead = sample_event(kind::dead, 7);
  dead.reason = death_reason::shutdown;
  CAF_CHECK_EQUAL(event_line(dead, term{}),
                  "2027-01-15T08:00:00.007Z  2048  demo        dead: shutdown\n");
  dead.name = "a-rather-long-name";
  CAF_CHECK_EQUAL(event_line(dead, term{}),
                  "2027-01-15T08:00:00.007Z  2048  a-rather-long-name  dead: shutdown\n");
}
