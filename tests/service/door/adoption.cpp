// SPDX-License-Identifier: Apache-2.0
// A door that follows another one.
#include "crosvisor/service/door/door_notes.hpp"
#include "crosvisor/tests/service/door/fixture.hpp"

#include <algorithm>
#include <limits>

#undef CAF_SUITE
#define CAF_SUITE service.door.adoption

using namespace crosvisor;
using namespace crosvisor::tests;
using namespace std::chrono_literals;

namespace {

constexpr auto newest = std::numeric_limits<std::uint64_t>::max();

struct fixture : door_fixture {
  caller alice = user(1000);
  caller bob = user(1001);
  caller carol = user(1002);
  std::shared_ptr<fake_journal> journal = std::make_shared<fake_journal>();
  std::shared_ptr<std::atomic<bool>> leaving = std::make_shared<std::atomic<bool>>(false);
  client a, c;

  fixture() {
    options.journal = journal;
    options.leaving = leaving;
    grant(alice, {permission::manage, permission::custom});
    grant(bob, {permission::manage, permission::custom});
    grant(carol, {permission::debug});
    open();
    a = connect(alice);
    c = connect(carol);
  }

  /// What a keeper would have of a VM.
  io::vm_notes notes_of(vm_cid cid) const {
    io::vm_notes notes;
    for (const auto& vmm : launcher->launched)
      if (vmm->request.cid == cid) {
        notes = vmm->request.notes;
        for (const auto& [key, value] : vmm->notes)
          notes[key] = value;
      }
    return notes;
  }

  /// The door goes without a word, as with its process, and the next one finds these VMs.
  void follow(const std::vector<vm_cid>& kept) {
    leaving->store(true);
    caf::anon_send_exit(door, caf::exit_reason::kill);
    settle();
    leaving->store(false);
    options.adopted.clear();
    for (const auto& info : ask<std::vector<vm_info>>(service, list_atom::value)->get())
      if (std::find(kept.begin(), kept.end(), info.cid) != kept.end())
        options.adopted.push_back({ask<vm_actor>(service, caf::get_atom::value, info.cid)->get(),
                                   info, notes_of(info.cid)});
    door = ends_with_test(spawn_door(sys, options));
    settle();
    a = connect(alice);
    c = connect(carol);
  }

  std::string watch(const client& by, std::uint64_t after) {
    return refusal(request<std::uint64_t>(by, watch_atom::value, after));
  }

  std::string subscribe_after(const client& by, vm_cid cid, std::uint64_t after) {
    return refusal(request<caf::ok_atom>(by, caf::subscribe_atom::value, cid, after));
  }

  std::string attach(const client& by, vm_cid cid) {
    return refusal(request<vm_info>(by, attach_atom::value, cid));
  }

  static std::string numbers(const client& of) {
    std::string text;
    for (const auto& event : of.got->events)
      text +=
        (text.empty() ? "" : " ") + std::to_string(event.number) + ':' + to_string(event.kind);
    return text;
  }

  static bool is_being_stopped(const std::shared_ptr<fake_vmm>& vmm) {
    return std::any_of(vmm->requests.begin(), vmm->requests.end(), [](const auto& asked) {
      return asked.what == io::vmm_request::power_button;
    });
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(adoption_tests, fixture)

// -- events -------------------------------------------------------------------

CAF_TEST(events are numbered and kept before they are told) {
  watch(c, newest);
  std::size_t told = 0;
  journal->on_append = [&](const vm_event&) { told = c.got->events.size(); };
  auto cid = make_vm(a);
  CAF_CHECK_EQUAL(told, 0u);
  run_vm(a, cid);
  CAF_CHECK_EQUAL(numbers(c), "1:created 2:starting 3:started");
  CAF_CHECK_EQUAL(journal->told.last_number, 3u);
  CAF_CHECK_EQUAL(journal->told.events.front().owner.uid, 1000u);
  CAF_CHECK_EQUAL(journal->told.living.at(cid).history.seq, 3u);
}

CAF_TEST(who watches after a number is told what follows it once) {
  auto cid = make_vm(a);
  run_vm(a, cid);
  watch(c, 1);
  end_vm(launcher->launched.back());
  CAF_CHECK_EQUAL(numbers(c), "2:starting 3:started 4:dead");
  auto late = connect(carol);
  watch(late, 4);
  auto all = connect(carol);
  watch(all, 0);
  CAF_CHECK_EQUAL(numbers(late), "");
  CAF_CHECK_EQUAL(numbers(all), "1:created 2:starting 3:started 4:dead");
}

CAF_TEST(a watch goes on with the next door) {
  auto cid = make_vm(a);
  run_vm(a, cid);
  follow({cid});
  watch(c, 2);
  end_vm(launcher->launched.back());
  CAF_CHECK_EQUAL(numbers(c), "3:started 4:dead");
}

CAF_TEST(a subscription goes on with the next door) {
  auto cid = make_vm(a);
  auto other = make_vm(a);
  run_vm(a, cid);
  run_vm(a, other);
  follow({cid, other});
  CAF_CHECK_EQUAL(subscribe_after(a, cid, 3), "done");
  request<vm_info>(a, kill_atom::value, other);
  end_vm(launcher->launched.front());
  CAF_CHECK_EQUAL(numbers(a), "4:started 8:dead");
  CAF_CHECK(a.got->from_door);
}

CAF_TEST(the end of a vm that is forgotten is told to who used it) {
  auto cid = make_vm(a);
  run_vm(a, cid);
  end_vm(launcher->launched.back());
  pass(2min);
  CAF_CHECK_EQUAL(attach(a, cid), "no_such_vm: no VM with CID " + std::to_string(cid));
  CAF_CHECK_EQUAL(subscribe_after(a, cid, 3), "done");
  CAF_CHECK_EQUAL(numbers(a), "4:dead");
  // Also by the next door, and to nobody else.
  follow({});
  CAF_CHECK_EQUAL(subscribe_after(a, cid, 2), "done");
  CAF_CHECK_EQUAL(numbers(a), "3:started 4:dead");
  auto b = connect(bob);
  CAF_CHECK_EQUAL(subscribe_after(b, cid, 0), "no_such_vm: no VM with CID " + std::to_string(cid));
  CAF_CHECK_EQUAL(numbers(b), "");
}

CAF_TEST(a vm that nobody has any more is told to be dead) {
  auto created = make_vm(a);
  auto run = make_vm(a);
  run_vm(a, run);
  follow({});
  watch(c, 4);
  CAF_REQUIRE_EQUAL(numbers(c), "5:dead 6:dead");
  auto told = c.got->events;
  CAF_CHECK_EQUAL(told[0].cid, created);
  CAF_CHECK_EQUAL(told[0].seq, 2u);
  CAF_CHECK_EQUAL(told[0].reason, death_reason::infrastructure_error);
  CAF_CHECK_EQUAL(told[0].detail, "the service ended before the VM was started");
  CAF_CHECK_EQUAL(told[1].detail, "nothing was left of the VM when the service began again");
  CAF_CHECK(journal->told.living.empty());
  // Once.
  follow({});
  CAF_CHECK_EQUAL(journal->told.last_number, 6u);
}

CAF_TEST(a death that was told before is not told again) {
  auto cid = make_vm(a);
  run_vm(a, cid);
  end_vm(launcher->launched.back());
  follow({cid});
  CAF_CHECK_EQUAL(journal->told.last_number, 4u);
  request<vm_info>(a, caf::subscribe_atom::value, cid);
  CAF_CHECK_EQUAL(numbers(a), "4:dead");
}

// -- who has it ---------------------------------------------------------------

CAF_TEST(a client that returns within the grace period keeps its vm) {
  auto cid = make_vm(a);
  auto vmm = run_vm(a, cid);
  follow({cid});
  pass(9s);
  CAF_CHECK_EQUAL(attach(a, cid), "done");
  pass(1min);
  CAF_CHECK(!is_being_stopped(vmm));
  end(a);
  CAF_CHECK(is_being_stopped(vmm));
}

CAF_TEST(without its client a vm is stopped after the grace period) {
  auto cid = make_vm(a);
  auto vmm = run_vm(a, cid);
  follow({cid});
  pass(9s);
  CAF_CHECK(!is_being_stopped(vmm));
  pass(2s);
  CAF_CHECK(is_being_stopped(vmm));
}

CAF_TEST(a held vm lives on and one that was dropped is stopped) {
  auto held = make_vm(a);
  auto dropped = make_vm(a);
  auto one = run_vm(a, held);
  auto two = run_vm(a, dropped);
  request<vm_info>(a, hold_atom::value, held);
  request<vm_info>(a, hold_atom::value, dropped);
  request<vm_info>(a, drop_atom::value, dropped);
  tell(a, detach_atom::value, held);
  follow({held, dropped});
  pass(1min);
  CAF_CHECK(!is_being_stopped(one));
  CAF_CHECK(is_being_stopped(two));
}

CAF_TEST(whom a vm was passed to uses it on) {
  auto b = connect(bob);
  auto cid = make_vm(a);
  run_vm(a, cid);
  auto word = request<ticket>(a, pass_atom::value, cid)->get();
  request<vm_info>(b, pass_atom::value, word);
  follow({cid});
  b = connect(bob);
  CAF_CHECK_EQUAL(attach(b, cid), "done");
  grant(carol, {permission::manage});
  CAF_CHECK_EQUAL(attach(c, cid), "denied: uid 1002 may not attach VM " + std::to_string(cid)
                                    + ", which is uid 1000's");
}

CAF_TEST(a vm without notes is its owner s) {
  auto cid = make_vm(a);
  auto vmm = run_vm(a, cid);
  vmm->request.notes.clear();
  vmm->notes = {{"users", "no JSON"}, {"references", "[1]"}};
  follow({cid});
  CAF_CHECK_EQUAL(attach(connect(bob), cid), "no_such_vm: no VM with CID " + std::to_string(cid));
  pass(11s);
  CAF_CHECK(is_being_stopped(vmm));
}

CAF_TEST(a door that leaves drops nothing and says of nobody that they are dead) {
  auto cid = make_vm(a);
  auto vmm = run_vm(a, cid);
  watch(c, newest);
  auto noted = notes_of(cid);
  leaving->store(true);
  cut(a);
  pass(1min);
  auto vm = ask<vm_actor>(service, caf::get_atom::value, cid)->get();
  caf::anon_send_exit(vm, caf::exit_reason::kill);
  settle();
  CAF_CHECK(!is_being_stopped(vmm));
  CAF_CHECK_EQUAL(numbers(c), "");
  CAF_CHECK(notes_of(cid) == noted);
}

// -- notes --------------------------------------------------------------------

CAF_TEST(notes are written when they change) {
  auto cid = make_vm(a);
  auto vmm = run_vm(a, cid);
  auto references = [&] { return *door::decode_references(notes_of(cid)); };
  CAF_CHECK(!references().held);
  CAF_CHECK_EQUAL(references().of.size(), 1u);
  vmm->notes.clear();
  attach(a, cid);
  attach(connect(alice), cid);
  CAF_CHECK(vmm->notes.empty());
  request<vm_info>(a, hold_atom::value, cid);
  CAF_CHECK(references().held);
  cut(a);
  CAF_CHECK_EQUAL(references().of.size(), 1u);
}

CAF_TEST(a note has what makes a principal and room for its bound) {
  std::vector<caller> users;
  for (int i = 0; i < 64; ++i)
    users.push_back(subject("CN=" + std::string(1021, 'x') + std::to_string(i)));
  users.front().groups.assign(65'536, 4'000'000'000);
  auto text = door::encode(users);
  CAF_CHECK_LESS_OR_EQUAL(text.size(), io::max_note_bytes);
  auto known = door::decode_users({{"users", text}});
  CAF_REQUIRE(known.has_value());
  CAF_CHECK_GREATER(known->size(), 50u);
  CAF_CHECK(same_principal(known->front(), users.front()));
  CAF_CHECK(known->front().groups.empty());
  CAF_CHECK(!door::decode_users({}));
  CAF_CHECK(door::decode_users({{"users", "[[2,0,0,[],0,\"\",\"\"]]"}})->empty());
}

CAF_TEST_FIXTURE_SCOPE_END()
