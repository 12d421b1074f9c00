// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/file_event_journal.hpp"

#include "crosvisor/tests/io/temp_dir.hpp"

#include <caf/test/dsl.hpp>

#include <sys/stat.h>

#undef CAF_SUITE
#define CAF_SUITE io.file_event_journal

using namespace crosvisor;
using namespace crosvisor::io;
using namespace crosvisor::tests;

namespace {

using kind = vm_event_kind;

struct fixture {
  temp_dir dir;
  std::string state = dir / "state";
  event_journal_options options;
  std::uint64_t number = 0;
  std::unique_ptr<event_journal> journal = open();

  std::unique_ptr<event_journal> open() {
    auto opened = open_file_event_journal(state, options);
    CAF_REQUIRE(opened);
    return std::move(*opened);
  }

  told_events reopen() {
    journal.reset();
    journal = open();
    return journal->load();
  }

  kept_event make(kind what, std::uint64_t seq, vm_cid cid = 2048, std::int64_t created = 1000) {
    kept_event kept;
    kept.created_ms = created;
    kept.owner = {caller_kind::socket, 1000, 100, {}, 7, "", ""};
    auto& event = kept.event;
    event.number = ++number;
    event.seq = seq;
    event.time_ms = created + static_cast<std::int64_t>(seq);
    event.cid = cid;
    event.name = "demo";
    event.kind = what;
    event.state = what == kind::dead ? vm_state::dead : vm_state::started;
    return kept;
  }

  void keep(kind what, std::uint64_t seq, vm_cid cid = 2048, std::int64_t created = 1000) {
    journal->append(make(what, seq, cid, created));
  }

  static std::string words(const told_events& told) {
    std::string text;
    for (const auto& [event, created, owner] : told.events)
      text += (text.empty() ? "" : " ") + std::to_string(event.number) + ':'
              + std::to_string(event.cid) + ':' + to_string(event.kind);
    return text;
  }

  std::uint64_t size_of(const std::string& name) const {
    struct stat is {};
    return ::stat((state + '/' + name).c_str(), &is) == 0 ? static_cast<std::uint64_t>(is.st_size)
                                                          : 0;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(file_event_journal_tests, fixture)

CAF_TEST(a new journal has nothing) {
  auto told = journal->load();
  CAF_CHECK_EQUAL(told.last_number, 0u);
  CAF_CHECK(told.events.empty());
  CAF_CHECK(told.living.empty());
}

CAF_TEST(what was kept is there again whole) {
  auto wanted = make(kind::dead, 9);
  wanted.event.detail = std::string{"a \"line\"\n and no UTF-8: \xff"};
  wanted.event.reason = death_reason::crash;
  wanted.event.exit = {exit_kind::signal, 11, death_reason::crash, "it fell"};
  wanted.event.payload = {true, true, 7, true, payload_error::payload_changed};
  wanted.owner.subject = "CN=alice";
  journal->append(wanted);
  auto told = reopen();
  CAF_REQUIRE_EQUAL(told.events.size(), 1u);
  const auto& [event, created, owner] = told.events.front();
  CAF_CHECK_EQUAL(created, 1000);
  CAF_CHECK_EQUAL(owner.uid, 1000u);
  CAF_CHECK_EQUAL(owner.subject, "CN=alice");
  CAF_CHECK_EQUAL(event.number, 1u);
  CAF_CHECK_EQUAL(event.seq, 9u);
  CAF_CHECK_EQUAL(event.time_ms, 1009);
  CAF_CHECK_EQUAL(event.name, "demo");
  CAF_CHECK_EQUAL(event.detail, wanted.event.detail);
  CAF_CHECK_EQUAL(event.reason, death_reason::crash);
  CAF_CHECK_EQUAL(to_string(event.exit), to_string(wanted.event.exit));
  CAF_CHECK_EQUAL(event.payload.exit_code, 7);
  CAF_CHECK_EQUAL(event.payload.error, payload_error::payload_changed);
}

CAF_TEST(what was told of a vm is known while it lives) {
  keep(kind::created, 1);
  keep(kind::created, 1, 2049);
  keep(kind::started, 3);
  keep(kind::suspended, 4);
  keep(kind::dead, 2, 2049);
  auto told = reopen();
  CAF_CHECK_EQUAL(told.last_number, 5u);
  CAF_CHECK_EQUAL(words(told),
                  "1:2048:created 2:2049:created 3:2048:started 4:2048:suspended 5:2049:dead");
  CAF_REQUIRE_EQUAL(told.living.size(), 1u);
  auto vm = told.living.at(2048);
  CAF_CHECK_EQUAL(vm.name, "demo");
  CAF_CHECK_EQUAL(vm.owner.uid, 1000u);
  CAF_CHECK_EQUAL(vm.history.seq, 4u);
  CAF_CHECK_EQUAL(vm.history.last_state_event.seq, 3u);
  CAF_CHECK(vm.history.suspended);
  CAF_CHECK_EQUAL(vm.history.told.size(), 3u);
}

CAF_TEST(a vm that is started again is told anew) {
  keep(kind::created, 1);
  keep(kind::started, 2);
  keep(kind::suspended, 3);
  keep(kind::restarting, 4);
  auto known = reopen().living.at(2048).history;
  CAF_CHECK(known.told.empty());
  CAF_CHECK(!known.suspended);
  CAF_CHECK_EQUAL(known.restarts, 1u);
  CAF_CHECK_EQUAL(known.last_state_event.kind, kind::restarting);
}

CAF_TEST(of a dead vm it is known that all was told) {
  keep(kind::created, 1);
  keep(kind::dead, 2);
  auto told = reopen();
  CAF_CHECK(!told.find(2048, 999));
  auto vm = told.find(2048, 1000);
  CAF_REQUIRE(vm.has_value());
  CAF_CHECK_EQUAL(vm->history.seq, 2u);
  CAF_CHECK_EQUAL(vm->history.last_state_event.kind, kind::dead);
  CAF_CHECK_EQUAL(vm->history.told.back(), kind::given_up);
}

CAF_TEST(another vm with the same cid is another) {
  keep(kind::created, 1);
  keep(kind::started, 2);
  // Its end was never kept.
  keep(kind::created, 1, 2048, 5000);
  auto vm = reopen().living.at(2048);
  CAF_CHECK_EQUAL(vm.created_ms, 5000);
  CAF_CHECK_EQUAL(vm.history.seq, 1u);
  CAF_CHECK_EQUAL(vm.history.told.size(), 1u);
}

CAF_TEST(the last events are kept) {
  options.kept_events = 2;
  for (std::uint64_t i = 1; i <= 5; ++i)
    keep(kind::stopping, i);
  CAF_CHECK_EQUAL(words(reopen()), "4:2048:stopping 5:2048:stopping");
}

CAF_TEST(a torn last line is ignored and the next event begins a line) {
  keep(kind::created, 1);
  auto text = read_file(state + "/events");
  journal.reset();
  for (std::size_t cut : {std::size_t{1}, text.size() / 2, text.size() - 2}) {
    dir.write("state/events", text + text.substr(0, cut), 0600);
    number = 1;
    journal = open();
    CAF_CHECK_EQUAL(journal->load().last_number, 1u);
    keep(kind::started, 2);
    CAF_CHECK_EQUAL(words(reopen()), "1:2048:created 2:2048:started");
    journal.reset();
  }
}

CAF_TEST(lines of another shape are passed over) {
  keep(kind::created, 1);
  auto text = read_file(state + "/events");
  journal.reset();
  dir.write("state/events",
            "[]\n{}\n{\"event\":7}\n{\"event\":[[1,2,3,4,\"n\",250,0]]}\n{\"other\":[]}\nnull\n"
            "\n{\"vm\":[[1]]}\n{\"number\":-4}\n"
              + text,
            0600);
  journal = open();
  CAF_CHECK_EQUAL(words(journal->load()), "1:2048:created");
  CAF_CHECK_EQUAL(journal->load().living.size(), 1u);
}

CAF_TEST(files are bounded and a vm is known beyond them) {
  options.file_bytes = 4096;
  journal.reset();
  journal = open();
  keep(kind::created, 1);
  keep(kind::started, 2);
  keep(kind::suspended, 3);
  keep(kind::restarting, 4);
  for (std::uint64_t i = 1; i <= 500; ++i)
    keep(kind::stopping, i, 2049);
  CAF_CHECK_LESS(size_of("events"), 8192u);
  CAF_CHECK_LESS(size_of("events.1"), 8192u);
  CAF_CHECK_GREATER(size_of("events.1"), 2048u);
  auto told = reopen();
  CAF_CHECK_EQUAL(told.last_number, 504u);
  CAF_CHECK_EQUAL(told.living.at(2048).history.seq, 4u);
  CAF_CHECK_EQUAL(told.living.at(2048).history.restarts, 1u);
  CAF_CHECK_EQUAL(told.living.at(2049).history.seq, 500u);
  CAF_CHECK_EQUAL(told.events.back().event.number, 504u);
}

CAF_TEST(the number goes on though the files that had it are gone) {
  options.file_bytes = 1;
  journal.reset();
  journal = open();
  keep(kind::created, 1);
  keep(kind::dead, 2);
  keep(kind::created, 1, 2049);
  journal.reset();
  dir.write("state/events", "{\"number\":41}\n", 0600);
  dir.write("state/events.1", "", 0600);
  CAF_CHECK_EQUAL(reopen().last_number, 41u);
}

CAF_TEST(one process at a time has it) {
  auto second = open_file_event_journal(state, options);
  CAF_REQUIRE(!second);
  CAF_CHECK_EQUAL(second.why().code, EBUSY);
  CAF_CHECK(second.why().what.find("events\" is in use by process ") != std::string::npos);
  journal.reset();
  CAF_CHECK(open_file_event_journal(state, options));
}

CAF_TEST(a link is refused) {
  journal.reset();
  ::unlink((state + "/events").c_str());
  CAF_REQUIRE_EQUAL(::symlink("/dev/null", (state + "/events").c_str()), 0);
  CAF_CHECK(!open_file_event_journal(state, options));
}

CAF_TEST_FIXTURE_SCOPE_END()
