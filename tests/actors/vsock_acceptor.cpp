// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/actors/vsock_acceptor.hpp"

#include "crosvisor/tests/actors/supervised_vm.hpp"

#undef CAF_SUITE
#define CAF_SUITE actors.vsock_acceptor

using namespace crosvisor;
using namespace crosvisor::tests;
using namespace std::chrono_literals;

namespace {

struct fixture : actor_fixture {
  registry_actor registry = spawn_registry({2048, 2100});
  vsock_acceptor_actor acceptor;
  vm_actor vm;

  void spawn_acceptor() {
    acceptor = ends_with_test(sys.spawn(
      actors::vsock_acceptor, actors::vsock_acceptor_options{listener, registry, 2048, {}}));
    settle();
  }

  void run_vm() {
    auto made = std::make_shared<vm_actor>();
    sys.spawn([=, this](caf::event_based_actor* asker) {
      asker
        ->request(registry, test_timeout, create_atom::value, small_vm(), vm_files{}, vmm_choice{},
                  caller{})
        .then([=](const vm_actor& handle, const vm_info&) { *made = handle; });
    });
    settle();
    vm = *made;
    ask<vm_info>(vm, start_atom::value);
    launcher->launched.at(0)->callbacks.on_up(1);
    settle();
  }

  /// `3000 yes, 5000 no (why)`
  std::string ports() {
    auto answer =
      ask<std::vector<vsock_port>>(acceptor, caf::get_atom::value, host_atom::value)->get();
    std::string words;
    for (const auto& [port, served] : answer)
      words += (words.empty() ? "" : ", ") + std::to_string(port)
               + (served.available ? " yes" : " no (" + served.detail + ")");
    return words;
  }

  /// A guest connects, and the message is on its way.
  std::weak_ptr<io::unique_fd> connect(vm_cid cid, std::uint32_t port = payload_output_port) {
    auto seen = listener->connect(cid, port);
    settle();
    return seen;
  }
};

using port_list = std::vector<std::uint32_t>;

} // namespace

CAF_TEST_FIXTURE_SCOPE(vsock_acceptor_tests, fixture)

CAF_TEST(it opens the listener and serves two ports) {
  spawn_acceptor();
  CAF_CHECK_EQUAL(listener->opens, 1);
  CAF_CHECK_EQUAL(listener->listens, (port_list{3000, 5000}));
  CAF_CHECK_EQUAL(ports(), "3000 yes, 5000 yes");
}

CAF_TEST(a connection comes to the streams of its vm) {
  spawn_acceptor();
  run_vm();
  auto socket = connect(2048);
  CAF_CHECK(!socket.expired());
  CAF_REQUIRE_EQUAL(streams->made.at(0)->outputs.size(), 1u);
  CAF_CHECK(streams->made.at(0)->outputs[0] == socket.lock());
  connect(2048, payload_status_port);
  CAF_CHECK_EQUAL(streams->made.at(0)->statuses.size(), 1u);
}

CAF_TEST(nobody holds a connection that was handed over) {
  spawn_acceptor();
  run_vm();
  auto socket = connect(2048);
  CAF_CHECK_EQUAL(socket.use_count(), 1);
}

CAF_TEST(cids that no vm can have are refused without a question) {
  spawn_acceptor();
  for (vm_cid cid : {0u, 1u, 2u, 3u, 2047u})
    CAF_CHECK(connect(cid).expired());
}

CAF_TEST(a vm that does not exist has its connection closed) {
  spawn_acceptor();
  CAF_CHECK(connect(2049).expired());
  CAF_CHECK(connect(70000).expired());
}

CAF_TEST(no more than so many wait for the registry) {
  spawn_acceptor();
  std::vector<std::weak_ptr<io::unique_fd>> sockets;
  constexpr auto most = actors::vsock_acceptor_state::max_pending;
  for (std::size_t i = 0; i < most + 2; ++i)
    sockets.push_back(listener->connect(2049, payload_output_port));
  // The acceptor alone runs: it takes its messages, and the registry answers none.
  sched.prioritize(acceptor);
  for (std::size_t i = 0; i < most + 2; ++i) {
    sched.prioritize(acceptor);
    sched.run_once();
  }
  CAF_CHECK(!sockets[most - 1].expired());
  CAF_CHECK(sockets[most].expired());
  CAF_CHECK(sockets[most + 1].expired());
  settle();
  CAF_CHECK(sockets[0].expired());
  // What was answered makes room.
  run_vm();
  CAF_CHECK(!connect(2048).expired());
}

CAF_TEST(a registry that does not answer costs the connection alone) {
  spawn_acceptor();
  caf::anon_send_exit(registry, caf::exit_reason::kill);
  settle();
  CAF_CHECK(connect(2048).expired());
  CAF_CHECK_EQUAL(ports(), "3000 yes, 5000 yes");
}

CAF_TEST(a port that is refused is tried again and less often) {
  listener->refused[3000] = "bind: Address already in use";
  spawn_acceptor();
  CAF_CHECK_EQUAL(ports(), "3000 no (bind: Address already in use), 5000 yes");
  listener->listens.clear();
  for (auto wait : {1s, 2s, 4s, 8s, 16s, 32s, 60s, 60s}) {
    pass(wait - 1ms);
    CAF_CHECK(listener->listens.empty());
    pass(1ms);
    CAF_CHECK_EQUAL(listener->listens, port_list{3000});
    listener->listens.clear();
  }
  listener->refused.clear();
  pass(60s);
  CAF_CHECK_EQUAL(ports(), "3000 yes, 5000 yes");
  listener->listens.clear();
  pass(1h);
  CAF_CHECK(listener->listens.empty());
}

CAF_TEST(a lost port is opened again) {
  spawn_acceptor();
  listener->listens.clear();
  listener->callbacks.on_lost(5000, "accept: No buffer space available");
  listener->callbacks.on_lost(5000, "again");
  settle();
  CAF_CHECK_EQUAL(ports(), "3000 yes, 5000 no (accept: No buffer space available)");
  pass(1s);
  CAF_CHECK_EQUAL(listener->listens, port_list{5000});
  CAF_CHECK_EQUAL(ports(), "3000 yes, 5000 yes");
}

CAF_TEST(its end closes the listener and what comes late) {
  spawn_acceptor();
  auto late = listener->callbacks;
  caf::anon_send_exit(acceptor, caf::exit_reason::user_shutdown);
  settle();
  CAF_CHECK_EQUAL(listener->closes, 1);
  acceptor = nullptr;
  auto socket = std::make_shared<io::unique_fd>();
  std::weak_ptr<io::unique_fd> seen = socket;
  late.on_connection({2048, 3000, std::move(socket)});
  late.on_lost(3000, "late");
  settle();
  CAF_CHECK(seen.expired());
}

CAF_TEST_FIXTURE_SCOPE_END()
