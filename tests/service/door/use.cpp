// SPDX-License-Identifier: Apache-2.0
// What is asked of VMs through the door: requests, connections, output, images.
#include "crosvisor/service/door/doorkeeper.hpp"
#include "crosvisor/tests/service/door/fixture.hpp"

#undef CAF_SUITE
#define CAF_SUITE service.door.use

using namespace crosvisor;
using namespace crosvisor::tests;
using namespace std::chrono_literals;

namespace {

struct fixture : door_fixture {
  caller alice = user(1000);
  caller bob = user(1001);
  caller carol = user(1002);
  client a = connect(alice);
  client b = connect(bob);
  client c = connect(carol);

  fixture() {
    grant(alice, {permission::manage, permission::custom});
    grant(bob, {permission::manage});
    grant(carol, {permission::debug});
  }

  std::shared_ptr<outcome<ticket>> connect_to(const client& by, vm_cid cid, std::uint32_t port,
                                              caf::timespan bound = 0s) {
    return request<ticket>(by, caf::connect_atom::value, cid, port, bound);
  }

  std::string subscribe_output(const client& by, vm_cid cid) {
    return refusal(request<caf::ok_atom>(by, caf::subscribe_atom::value, output_atom::value, cid));
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(use_tests, fixture)

// -- requests -----------------------------------------------------------------

CAF_TEST(a vm is found and seen by its user) {
  auto cid = make_vm(a, "demo");
  CAF_CHECK_EQUAL(request<vm_info>(a, caf::get_atom::value, vm_name{"demo"})->get().cid, cid);
  CAF_CHECK_EQUAL(request<vm_info>(c, caf::get_atom::value, state_atom::value, cid)->get().name,
                  "demo");
  CAF_CHECK_EQUAL(request<std::vector<vm_info>>(c, list_atom::value)->get().size(), 1u);
  CAF_CHECK_EQUAL(request<host_info>(c, caf::get_atom::value, host_atom::value)->get().memory_mib,
                  1024u);
}

CAF_TEST(a dead vm is not found by name but is there until it is forgotten) {
  auto cid = make_vm(a, "demo");
  end_vm(run_vm(a, cid));
  CAF_CHECK_EQUAL(refusal(request<vm_info>(a, caf::get_atom::value, vm_name{"demo"})),
                  "no_such_vm: no living VM with the name \"demo\"");
  CAF_CHECK_EQUAL(request<vm_info>(a, caf::get_atom::value, state_atom::value, cid)->get().state,
                  vm_state::dead);
  pass(1h);
  CAF_CHECK_EQUAL(refusal(request<vm_info>(a, caf::get_atom::value, state_atom::value, cid)),
                  "no_such_vm: no VM with CID " + std::to_string(cid));
}

CAF_TEST(a stop and its error come from the vm) {
  auto cid = make_vm(a);
  auto suspended = request<vm_info>(a, suspend_atom::value, cid);
  CAF_CHECK_EQUAL(refusal(suspended),
                  "wrong_state: can't suspend VM " + std::to_string(cid) + ": it is not_started");
  auto vmm = run_vm(a, cid);
  auto stopped = request<vm_info>(a, stop_atom::value, cid, caf::timespan{10s});
  CAF_CHECK(stopped->pending());
  end_vm(vmm);
  CAF_CHECK_EQUAL(stopped->get().state, vm_state::dead);
}

CAF_TEST(a grace is an hour at most and never negative) {
  auto cid = make_vm(a);
  auto vmm = run_vm(a, cid);
  request<vm_info>(a, stop_atom::value, cid, caf::timespan{1000h});
  pass(1h);
  CAF_CHECK(vmm->requests.back().what == io::vmm_request::quit);
  auto other = make_vm(a);
  auto second = run_vm(a, other);
  request<vm_info>(a, stop_atom::value, other, caf::timespan{-1h});
  CAF_CHECK(second->requests.back().what == io::vmm_request::quit);
}

CAF_TEST(requests that wait are bounded and answered when the vm is dead) {
  auto cid = make_vm(a);
  auto vmm = run_vm(a, cid);
  std::vector<std::shared_ptr<outcome<vm_info>>> waiting;
  for (std::size_t i = 0; i < options.bounds.requests_per_user; ++i)
    waiting.push_back(request<vm_info>(a, stop_atom::value, cid, caf::timespan{1h}));
  CAF_CHECK_EQUAL(
    refusal(request<vm_info>(a, stop_atom::value, cid, caf::timespan{1h})),
    "busy: uid 1000 has 4096 requests that wait for an answer, as many as one user may "
    "have (limits.requests_per_user)");
  CAF_CHECK_EQUAL(refusal(request<host_info>(b, caf::get_atom::value, host_atom::value)), "done");
  end_vm(vmm);
  for (const auto& one : waiting)
    CAF_CHECK(one->value.has_value());
  CAF_CHECK_EQUAL(refusal(request<host_info>(a, caf::get_atom::value, host_atom::value)), "done");
}

// -- descriptors for clients --------------------------------------------------

CAF_TEST(a connection is answered with a ticket of the sender s) {
  auto cid = make_vm(a);
  auto vmm = run_vm(a, cid);
  auto asked = connect_to(a, cid, 22, 3s);
  CAF_REQUIRE_EQUAL(vmm->connects.size(), 1u);
  CAF_CHECK_EQUAL(vmm->connects[0].port, 22u);
  CAF_CHECK_EQUAL(vmm->connects[0].bound.count(), 3000);
  watched_fd pipe;
  auto number = pipe.theirs.get();
  vmm->connects[0].done(std::make_shared<io::unique_fd>(std::move(pipe.theirs)));
  settle();
  auto given = asked->get();
  using enum io::ticket_store::direction;
  CAF_CHECK(!tickets->take(given, bob, to_client));
  CAF_CHECK(!tickets->take(given, alice, to_service));
  auto fd = tickets->take(given, alice, to_client);
  CAF_REQUIRE(static_cast<bool>(fd));
  CAF_CHECK_EQUAL(fd->get(), number);
  CAF_CHECK(!pipe.closed());
}

CAF_TEST(a connection that no ticket can be had for is closed) {
  auto cid = make_vm(a);
  auto vmm = run_vm(a, cid);
  auto asked = connect_to(a, cid, 5555);
  tickets->room = 0;
  watched_fd pipe;
  vmm->connects[0].done(std::make_shared<io::unique_fd>(std::move(pipe.theirs)));
  settle();
  CAF_CHECK_EQUAL(refusal(asked), "busy: too many tickets of uid 1000");
  CAF_CHECK(pipe.closed());
}

CAF_TEST(a refused connection is told) {
  auto cid = make_vm(a);
  auto vmm = run_vm(a, cid);
  auto asked = connect_to(a, cid, 5555, 1000h);
  CAF_CHECK_EQUAL(vmm->connects[0].bound.count(), 3'600'000);
  vmm->connects[0].done(io::failure{ECONNREFUSED, "nobody listens"});
  settle();
  CAF_CHECK_EQUAL(refusal(asked), "connection_refused: nobody listens");
}

CAF_TEST(the output is opened for a ticket) {
  auto cid = make_vm(a);
  auto given = request<ticket>(a, caf::open_atom::value, output_atom::value, cid)->get();
  CAF_CHECK(static_cast<bool>(tickets->take(given, alice, io::ticket_store::direction::to_client)));
  streams->made.back()->broken = true;
  CAF_CHECK_EQUAL(refusal(request<ticket>(a, caf::open_atom::value, output_atom::value, cid)),
                  "io_failed: pipe: Too many open files");
}

// -- output as messages -------------------------------------------------------

CAF_TEST(output comes from the door with credit) {
  auto cid = make_vm(a);
  CAF_CHECK_EQUAL(subscribe_output(a, cid), "done");
  CAF_CHECK_EQUAL(subscribe_output(a, cid), "done");
  auto vm = streams->made.back();
  CAF_REQUIRE_EQUAL(vm->readers.size(), 1u);
  tell(a, credit_atom::value, cid, std::uint64_t{100});
  CAF_CHECK_EQUAL(vm->readers.begin()->second.granted, 100u);
  vm->readers.begin()->second.handler({0, "hello", 0, false});
  vm->readers.begin()->second.handler({5, "", 0, true});
  settle();
  CAF_REQUIRE_EQUAL(a.got->pieces.size(), 2u);
  CAF_CHECK_EQUAL(a.got->pieces[0].bytes, "hello");
  CAF_CHECK(a.got->pieces[1].last);
  CAF_CHECK(a.got->from_door);
}

CAF_TEST(nobody grants or ends another s output) {
  auto cid = make_vm(a);
  subscribe_output(a, cid);
  auto vm = streams->made.back();
  auto other = connect(alice);
  for (const auto& one : {other, b, c}) {
    tell(one, credit_atom::value, cid, std::uint64_t{100});
    tell(one, caf::unsubscribe_atom::value, output_atom::value, cid);
  }
  CAF_REQUIRE_EQUAL(vm->readers.size(), 1u);
  CAF_CHECK_EQUAL(vm->readers.begin()->second.granted, 0u);
  tell(a, caf::unsubscribe_atom::value, output_atom::value, cid);
  CAF_CHECK(vm->readers.empty());
}

CAF_TEST(a reader that goes and one of a vm that is forgotten are not kept) {
  auto cid = make_vm(a);
  auto reader = connect(alice);
  subscribe_output(reader, cid);
  auto vm = streams->made.back();
  cut(reader);
  CAF_CHECK(vm->readers.empty());
  auto second = connect(alice);
  subscribe_output(second, cid);
  end_vm(run_vm(a, cid));
  CAF_CHECK_EQUAL(vm->readers.size(), 1u);
  pass(1h);
  CAF_CHECK(vm->readers.empty());
}

CAF_TEST(a host without vsock has no output and keeps no reader) {
  host.streams = nullptr;
  host.vsock = nullptr;
  options.bounds.subscriptions_per_user = 1;
  open();
  auto cid = make_vm(a);
  for (int i = 0; i < 3; ++i)
    CAF_CHECK_EQUAL(subscribe_output(a, cid).substr(0, 12), "unsupported:");
}

// -- images -------------------------------------------------------------------

CAF_TEST(images are made of tickets and their progress comes from the door) {
  builder->during = [](const io::job_control& control) { control.report(1, 2); };
  ticket_list files{{deposit(a, some_fd()), deposit(a, some_fd())}};
  auto info = request<idsig_info>(a, create_atom::value,
                                  idsig_spec{false, {"a.apk", 0}, {"a.idsig", 1}}, files);
  CAF_CHECK_EQUAL(info->get().apk_bytes, 4096u);
  CAF_CHECK(!a.got->progress.empty());
  CAF_CHECK(a.got->from_door);
  partition_spec spec{partition_type::raw, 4096, {"p.img", 0}};
  ticket_list file{{deposit(a, some_fd())}};
  CAF_CHECK_EQUAL(refusal(request<caf::ok_atom>(a, create_atom::value, spec, file)), "done");
  CAF_CHECK_EQUAL(refusal(request<caf::ok_atom>(a, create_atom::value, spec, ticket_list{})),
                  "invalid_config: file \"p.img\": is descriptor 0, counted from 0, and 0 came "
                  "with the request");
  CAF_CHECK_EQUAL(builder->jobs.size(), 2u);
}

CAF_TEST(the end of a client cancels its image) {
  auto gone = connect(alice);
  bool cancelled = false;
  int looked = 0;
  // Workers run with everybody else here, so the client goes before its job's turn.
  builder->during = [&](const io::job_control& control) {
    ++looked;
    cancelled = control.cancelled();
  };
  serving.image_workers = 1;
  open();
  ticket_list file{{deposit(gone, some_fd())}};
  let_send(gone, door, create_atom::value, partition_spec{partition_type::raw, 4096, {"p.img", 0}},
           file);
  CAF_REQUIRE(sched.try_run_once());
  caf::anon_send_exit(gone.handle, caf::exit_reason::remote_link_unreachable);
  settle();
  CAF_CHECK(looked == 0 || cancelled);
}

CAF_TEST_FIXTURE_SCOPE_END()
