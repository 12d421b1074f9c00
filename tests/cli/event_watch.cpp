// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/event_watch.hpp"

#include "crosvisor/cli/exit_code.hpp"
#include "crosvisor/tests/cli/fake_connection.hpp"

#include <caf/test/dsl.hpp>

#include <limits>

#undef CAF_SUITE
#define CAF_SUITE cli.event_watch

using namespace crosvisor;
using namespace crosvisor::cli;
using namespace crosvisor::tests;

namespace {

using door = door_answers::door;
using kind = vm_event_kind;

constexpr auto newest = std::numeric_limits<std::uint64_t>::max();

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
    options.say = [this](const std::string& what) { said.push_back(what); };
    options.on_event = [&](const vm_event& event) {
      words += to_string(event.kind) + ':' + std::to_string(event.seq) + ' ';
      return ++count < most;
    };
    auto ended = watch_events(service, options);
    const auto* end = std::get_if<early_end>(&ended);
    return words + (end == nullptr ? "done" : end->what);
  }

  fake_connection service;
  std::vector<std::string> said;
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
  service.answers->subscribe_after = [](door self, vm_cid cid,
                                        std::uint64_t after) -> caf::result<caf::ok_atom> {
    CAF_CHECK_EQUAL(after, 0u);
    tell(self, self->current_sender(), sample_event(kind::created, 1, cid));
    tell(self, self->current_sender(), sample_event(kind::started, 3, cid));
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
  service.answers->watch = [](door self, std::uint64_t after) -> caf::result<std::uint64_t> {
    CAF_CHECK_EQUAL(after, newest);
    tell(self, self->current_sender(), sample_event(kind::dead, 9));
    tell(self, self->current_sender(), sample_event(kind::created, 10, 2049));
    return std::uint64_t{8};
  };
  CAF_CHECK_EQUAL(watched(no_cid, false, 2), "dead:9 created:10 done");
}

CAF_TEST(a watch that is denied says so) {
  service.answers->watch = [](door, std::uint64_t) -> caf::result<std::uint64_t> {
    return caf::make_error(vm_errc::denied, "uid 1 lacks \"debug\"");
  };
  CAF_CHECK(watched(no_cid).starts_with("permission denied by crosvisord: uid 1 lacks"));
}

CAF_TEST(a daemon that was restarted is connected to again and nothing is missed or repeated) {
  service.refused_reconnects = 1;
  std::vector<std::uint64_t> asked;
  service.answers->watch = [&](door self, std::uint64_t after) -> caf::result<std::uint64_t> {
    asked.push_back(after);
    if (asked.size() == 1) {
      tell(self, self->current_sender(), sample_event(kind::started, 3));
      self->quit(caf::exit_reason::kill);
      return std::uint64_t{2};
    }
    tell(self, self->current_sender(), sample_event(kind::ready, 4));
    tell(self, self->current_sender(), sample_event(kind::created, 5, 2050));
    return std::uint64_t{5};
  };
  CAF_CHECK_EQUAL(watched(no_cid, false, 3), "started:3 ready:4 created:5 done");
  CAF_CHECK_EQUAL(service.reconnects, 2);
  CAF_CHECK(asked == (std::vector<std::uint64_t>{newest, 3}));
  CAF_CHECK(said
            == (std::vector<std::string>{
              "lost the connection to unix:/run/crosvisor/crosvisord.sock; trying again",
              "connected to unix:/run/crosvisor/crosvisord.sock again"}));
}

CAF_TEST(a watch that has heard nothing misses nothing) {
  std::vector<std::uint64_t> asked;
  service.answers->watch = [&](door self, std::uint64_t after) -> caf::result<std::uint64_t> {
    asked.push_back(after);
    if (asked.size() == 1)
      caf::anon_send_exit(self, caf::exit_reason::kill); // Which comes after the answer.
    else
      tell(self, self->current_sender(), sample_event(kind::created, 42));
    return std::uint64_t{41};
  };
  CAF_CHECK_EQUAL(watched(no_cid, false, 1), "created:42 done");
  CAF_CHECK(asked == (std::vector<std::uint64_t>{newest, 41}));
}

CAF_TEST(what is not kept any more is said) {
  bool first = true;
  service.answers->watch = [&](door self, std::uint64_t) -> caf::result<std::uint64_t> {
    tell(self, self->current_sender(), sample_event(kind::started, first ? 3 : 10));
    if (std::exchange(first, false))
      self->quit(caf::exit_reason::kill);
    return std::uint64_t{2};
  };
  CAF_CHECK_EQUAL(watched(no_cid, false, 2), "started:3 started:10 done");
  CAF_CHECK_EQUAL(said.back(), "6 events were missed: the service does not keep them any more");
}

CAF_TEST(one VM s watch goes on after the last event that was heard) {
  service.answers->subscribe = [](door self, vm_cid cid) -> caf::result<vm_info> {
    tell(self, self->current_sender(), sample_event(kind::started, 3, cid));
    self->quit(caf::exit_reason::kill);
    return sample_vm(cid);
  };
  service.answers->subscribe_after = [](door self, vm_cid cid,
                                        std::uint64_t after) -> caf::result<caf::ok_atom> {
    CAF_CHECK_EQUAL(after, 3u);
    tell(self, self->current_sender(), sample_event(kind::finished, 7, cid));
    tell(self, self->current_sender(), sample_event(kind::dead, 9, cid));
    return caf::ok_atom::value;
  };
  CAF_CHECK_EQUAL(watched(2048), "started:3 finished:7 dead:9 done");
}

CAF_TEST_FIXTURE_SCOPE_END()

CAF_TEST(what has a greater number is new) {
  event_filter filter;
  CAF_CHECK(filter.is_new(sample_event(kind::dead, 9)));
  CAF_CHECK(!filter.is_new(sample_event(kind::dead, 9)));
  CAF_CHECK(!filter.is_new(sample_event(kind::created, 1)));
  CAF_CHECK(filter.is_new(sample_event(kind::created, 10, 2050)));
  CAF_CHECK_EQUAL(filter.last_number(), 10u);
  filter.skip_to(12);
  CAF_CHECK_EQUAL(filter.last_number(), 12u);
  filter.skip_to(3);
  CAF_CHECK_EQUAL(filter.last_number(), 12u);
}

CAF_TEST(of a service that counts anew what is younger is new) {
  event_filter filter;
  CAF_CHECK(filter.is_new(sample_event(kind::dead, 9)));
  auto later = sample_event(kind::created, 1);
  later.time_ms += 1000;
  CAF_CHECK(filter.is_new(later));
  CAF_CHECK_EQUAL(filter.last_number(), 1u);
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
