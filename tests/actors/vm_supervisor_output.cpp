// SPDX-License-Identifier: Apache-2.0
// Who reads a payload's output.
#include "crosvisor/tests/actors/supervised_vm.hpp"

#undef CAF_SUITE
#define CAF_SUITE actors.vm_supervisor_output

using namespace crosvisor;
using namespace crosvisor::tests;
using namespace std::chrono_literals;

namespace {

/// A reader, and what it was sent.
struct reading {
  caf::actor actor;
  std::shared_ptr<std::string> got = std::make_shared<std::string>();
  std::shared_ptr<caf::strong_actor_ptr> sender = std::make_shared<caf::strong_actor_ptr>();
};

struct fixture : supervised_vm {
  reading new_reader() {
    reading made;
    made.actor = ends_with_test(sys.spawn([made](caf::event_based_actor* reader) -> caf::behavior {
      return {[=](const output_chunk& chunk) {
                *made.got += chunk.bytes;
                *made.sender = reader->current_sender();
              },
              [](caf::ok_atom) {}};
    }));
    settle();
    return made;
  }

  template <class... Args>
  void send_as(const reading& who, Args... args) {
    caf::send_as(who.actor, caf::actor_cast<caf::actor>(vm), args...);
    settle();
  }

  void subscribe(const reading& who) {
    send_as(who, caf::subscribe_atom::value, output_atom::value);
  }

  void write(const std::string& bytes) {
    auto copy = guest().readers;
    for (auto& [id, reader] : copy)
      reader.handler({0, bytes, 0, false});
    settle();
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(vm_supervisor_output_tests, fixture)

CAF_TEST(the output is opened at any time) {
  for (int i = 0; i < 3; ++i) {
    auto opened = ask<passed_fd>(vm, caf::open_atom::value, output_atom::value);
    CAF_REQUIRE(opened->value);
    CAF_CHECK(static_cast<bool>(*opened->get()));
    if (i == 0)
      start_and_run();
    else if (i == 1)
      exit_with(death_reason::shutdown);
  }
  guest().broken = true;
  auto failed = ask<passed_fd>(vm, caf::open_atom::value, output_atom::value);
  CAF_CHECK_EQUAL(failed->why(), vm_errc::io_failed);
}

CAF_TEST(a reader is sent pieces from its vm as it grants) {
  auto reader = new_reader();
  subscribe(reader);
  CAF_REQUIRE_EQUAL(guest().readers.size(), 1u);
  CAF_CHECK_EQUAL(guest().readers.begin()->second.granted, 0u);
  send_as(reader, credit_atom::value, std::uint64_t{100});
  send_as(reader, credit_atom::value, std::uint64_t{28});
  CAF_CHECK_EQUAL(guest().readers.begin()->second.granted, 128u);
  write("hello");
  CAF_CHECK_EQUAL(*reader.got, "hello");
  CAF_CHECK(*reader.sender == vm);
  *reader.sender = nullptr;
}

CAF_TEST(subscribing twice is one subscription) {
  auto reader = new_reader();
  subscribe(reader);
  subscribe(reader);
  CAF_CHECK_EQUAL(guest().readers.size(), 1u);
}

CAF_TEST(whoever unsubscribes or has not subscribed has no reader) {
  auto reader = new_reader();
  auto other = new_reader();
  subscribe(reader);
  send_as(other, credit_atom::value, std::uint64_t{100});
  send_as(other, caf::unsubscribe_atom::value, output_atom::value);
  CAF_CHECK_EQUAL(guest().readers.size(), 1u);
  send_as(reader, caf::unsubscribe_atom::value, output_atom::value);
  CAF_CHECK(guest().readers.empty());
  write("hello");
  CAF_CHECK_EQUAL(*reader.got, "");
}

CAF_TEST(a reader that goes down is removed and the others are served) {
  auto reader = new_reader();
  auto other = new_reader();
  subscribe(reader);
  subscribe(other);
  caf::anon_send_exit(reader.actor, caf::exit_reason::kill);
  settle();
  CAF_CHECK_EQUAL(guest().readers.size(), 1u);
  write("hello");
  CAF_CHECK_EQUAL(*other.got, "hello");
  *other.sender = nullptr;
}

CAF_TEST(who reads and hears events is watched until both are given up) {
  auto both = std::make_shared<int>(0);
  auto actor = ends_with_test(sys.spawn([=](caf::event_based_actor*) -> caf::behavior {
    return {[=](const vm_event&) { ++*both; }, [=](const output_chunk&) { ++*both; },
            [](const vm_info&) {}, [](caf::ok_atom) {}};
  }));
  auto as_both = [&](auto... args) {
    auto to = caf::actor_cast<caf::actor>(vm);
    caf::send_as(actor, to, args...);
    settle();
  };
  as_both(caf::subscribe_atom::value);
  as_both(caf::subscribe_atom::value, output_atom::value);
  as_both(caf::unsubscribe_atom::value);
  CAF_CHECK_EQUAL(guest().readers.size(), 1u);
  caf::anon_send_exit(actor, caf::exit_reason::kill);
  settle();
  CAF_CHECK(guest().readers.empty());
}

CAF_TEST(readers are removed with the supervisor) {
  subscribe(new_reader());
  auto streams_of_vm = streams->made.at(0);
  caf::anon_send_exit(supervisor, caf::exit_reason::user_shutdown);
  settle();
  CAF_CHECK(streams_of_vm->readers.empty());
}

CAF_TEST(without vsock there is no output) {
  supervised_vm bare{small_vm("demo"), {}, false, false};
  auto opened = bare.ask<passed_fd>(bare.vm, caf::open_atom::value, output_atom::value);
  CAF_CHECK_EQUAL(opened->why(), vm_errc::unsupported);
  auto subscribed = bare.ask<caf::ok_atom>(bare.vm, caf::subscribe_atom::value, output_atom::value);
  CAF_CHECK_EQUAL(subscribed->why(), vm_errc::unsupported);
}

CAF_TEST_FIXTURE_SCOPE_END()
