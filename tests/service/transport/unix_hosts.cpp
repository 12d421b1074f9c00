// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/transport/transport.hpp"
#include "crosvisor/service/transport/unix_peer.hpp"
#include "crosvisor/tests/io/temp_dir.hpp"
#include "crosvisor/tests/service/transport/basp_bytes.hpp"
#include "crosvisor/tests/service/transport/live_systems.hpp"
#include "crosvisor/tests/service/transport/raw_peer.hpp"
#include "crosvisor/tests/service/transport/server_process.hpp"

#include <caf/test/dsl.hpp>

#include <sched.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#undef CAF_SUITE
#define CAF_SUITE service.transport.unix_hosts

using namespace crosvisor;
using namespace crosvisor::tests;
using namespace crosvisor::transport;

namespace {

struct fixture {
  temp_dir dir;
  std::string path = dir / "door.sock";
  server_process server{program_folder() + "/crosvisor-basp-server", listen_at(path)};

  raw_peer raw() const { return raw_peer{raw_unix(path)()}; }
};

/// Whether a node that names this process id is taken, said from a new pid namespace, where this
/// process is the first.
int greet_from_namespace(const std::string& path, std::uint32_t process_id) {
  auto outer = ::fork();
  if (outer == 0) {
    if (::unshare(CLONE_NEWPID) != 0)
      ::_exit(2);
    auto inner = ::fork();
    if (inner == 0) {
      auto key = basp::own_node(3);
      key.pid = process_id;
      raw_peer peer{raw_unix(path)()};
      ::_exit(peer.greet(key) && peer.served() ? 0 : 1);
    }
    int status = 0;
    ::waitpid(inner, &status, 0);
    ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 3);
  }
  int status = 0;
  ::waitpid(outer, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 3;
}

/// A service played by the test, which says what it likes to a real client.
struct false_service {
  io::unique_fd listening;
  io::unique_fd peer;
  transport::node_key node = basp::own_node(77);

  explicit false_service(const std::string& path) : listening(listen_at(path)) {}

  void say(const std::string& bytes) const {
    ::send(peer.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }

  void greet(caf::actor_system& system) {
    peer.reset(::accept4(listening.get(), nullptr, nullptr, SOCK_CLOEXEC));
    auto handles = system.message_types(caf::detail::type_list<door_actor>{});
    auto words = basp::node(node) + basp::size_of(1) + basp::text("generic-caf-app")
                 + basp::number(6, 8) + basp::size_of(handles.size());
    for (const auto& one : handles)
      words += basp::text(one);
    say(basp::frame({basp_operation::server_handshake, 0, 0, 3, 0, 0}, words));
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(unix_hosts_tests, fixture)

CAF_TEST(the last number of NSpid is what a process calls itself) {
  auto of = [](const std::string& line) {
    return innermost_process_id("Name:\tx\n" + line + "\nNSpgid:\t9\n").value_or(0);
  };
  CAF_CHECK_EQUAL(of("NSpid:\t4711"), 4711u);
  CAF_CHECK_EQUAL(of("NSpid:\t4711\t12\t1"), 1u);
  CAF_CHECK_EQUAL(of("NSpid:"), 0u);
  CAF_CHECK_EQUAL(of("NSpid:\t"), 0u);
  CAF_CHECK_EQUAL(of("NSpid:\t47x"), 0u);
  CAF_CHECK_EQUAL(of("Pid:\t5"), 0u);
  CAF_CHECK_EQUAL(of("NSpid:\t99999999999"), 0u);
  caller self;
  self.pid = ::getpid();
  auto ids = process_ids_of(self);
  CAF_CHECK_EQUAL(ids.front(), static_cast<std::uint32_t>(::getpid()));
  self.pid = 0;
  CAF_CHECK(process_ids_of(self).empty());
}

CAF_TEST(a client in another pid namespace is served under its own number) {
  if (::geteuid() != 0) {
    CAF_MESSAGE("skipped: needs root to make a pid namespace");
    CAF_CHECK(server.alive());
    return;
  }
  CAF_CHECK_EQUAL(greet_from_namespace(path, 1), 0);
  CAF_CHECK_EQUAL(greet_from_namespace(path, 77), 1);
  CAF_CHECK_EQUAL(greet_from_namespace(path, static_cast<std::uint32_t>(::getpid())), 1);
}

CAF_TEST(a service without descriptors waits and does not spin) {
#ifdef __SANITIZE_ADDRESS__
  // It looks at objects through a pipe of its own, and takes them for broken without one.
  CAF_MESSAGE("skipped: the undefined-behaviour sanitizer needs descriptors itself");
  CAF_CHECK(server.alive());
  return;
#endif
  auto good = raw();
  CAF_REQUIRE(good.greet(basp::own_node(1)));
  rlimit limit{};
  ::prlimit(server.pid(), RLIMIT_NOFILE, nullptr, &limit);
  limit.rlim_cur = server.descriptors() + 8;
  CAF_REQUIRE_EQUAL(::prlimit(server.pid(), RLIMIT_NOFILE, &limit, nullptr), 0);
  auto before = server.cpu_ticks();
  std::vector<raw_peer> idle;
  for (int i = 0; i < 24; ++i)
    idle.push_back(raw());
  CAF_CHECK(good.served());
  // The others are accepted as their forerunners run out of time.
  auto late = raw();
  CAF_CHECK(late.greet(basp::own_node(2)));
  CAF_CHECK(late.served());
  CAF_CHECK(server.alive());
  CAF_CHECK_LESS(server.cpu_ticks(), before + 50);
}

CAF_TEST(a large answer that was read leaves no large buffer) {
  auto good = raw();
  CAF_REQUIRE(good.greet(basp::own_node(1)));
  std::vector<raw_peer> readers;
  auto before = server.memory_kib();
  std::string requests;
  for (std::uint8_t i = 10; i < 26; ++i) {
    readers.push_back(raw());
    auto& reader = readers.back();
    CAF_REQUIRE(reader.greet(basp::own_node(i)));
    if (requests.empty())
      for (int k = 0; k < 400; ++k)
        requests += basp::message(reader.door(), basp::list_content(), basp::request);
    CAF_CHECK(reader.send(requests));
    CAF_CHECK(reader.served());
  }
  CAF_CHECK(becomes([&] { return server.memory_kib() < before + (24u << 10); }));
  CAF_MESSAGE("KiB: " << before << " before, " << server.memory_kib() << " after");
}

CAF_TEST(a service that is hostile reaches no actor) {
  auto elsewhere = dir / "false.sock";
  false_service service{elsewhere};
  client_system client;
  std::thread player{[&] { service.greet(client.system()); }};
  auto door = connect_unix(client.system(), elsewhere, patience);
  player.join();
  CAF_REQUIRE(door);
  caf::scoped_actor own{client.system()};
  // So that CAF knows it by its id.
  caf::anon_send(caf::actor_cast<caf::actor>(*door), caf::unsubscribe_atom::value);
  own->send(*door, caf::unsubscribe_atom::value);
  service.say(basp::message(own->id(), basp::exit_content(service.node)));
  CAF_CHECK(goes_down(client.system(), *door));
  auto alive = false;
  own->send(own, std::string{"still here"});
  own->receive([&](const std::string&) { alive = true; }, caf::after(patience) >> [] {});
  CAF_CHECK(alive);
}

CAF_TEST_FIXTURE_SCOPE_END()
