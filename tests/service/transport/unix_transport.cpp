// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/transport/guarded_broker.hpp"
#include "crosvisor/service/transport/transport.hpp"
#include "crosvisor/tests/io/temp_dir.hpp"
#include "crosvisor/tests/service/transport/basp_bytes.hpp"
#include "crosvisor/tests/service/transport/live_systems.hpp"
#include "crosvisor/tests/service/transport/raw_peer.hpp"
#include "crosvisor/tests/service/transport/server_process.hpp"

#include <caf/test/dsl.hpp>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>

#undef CAF_SUITE
#define CAF_SUITE service.transport.unix_transport

using namespace crosvisor;
using namespace crosvisor::tests;
using namespace crosvisor::transport;
using namespace std::chrono_literals;

namespace {

constexpr std::chrono::milliseconds bound = patience;

struct fixture {
  temp_dir dir;
  std::string path = dir / "door.sock";
  caller own;
  std::unique_ptr<service_system> service;

  fixture() {
    own.uid = 4321;
    service = std::make_unique<service_system>(own);
  }

  void serve(listen_options options = {}) {
    auto listening = listen_unix(service->system, service->door, listen_at(path), service->known,
                                 std::move(options));
    CAF_REQUIRE(listening);
  }

  raw_peer raw() const { return raw_peer{raw_unix(path)()}; }

  /// Whether nothing is left of any client.
  bool quiet() {
    auto broker = caf::actor_cast<caf::strong_actor_ptr>(serving_broker_of(service->system));
    auto& inner = static_cast<serving_broker&>(*broker->get());
    return service->known->connections() == 0 && service->nodes().size() == 0
           && inner.proxies().empty();
  }
};

std::uint32_t watchers(client_system& client, const door_actor& door) {
  auto host = client.ask<host_info>(door, caf::get_atom::value, host_atom::value);
  return host ? host->cpus : 1000;
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(unix_transport_tests, fixture)

CAF_TEST(a client is served and known by its credentials) {
  serve();
  client_system client;
  auto door = connect_unix(client.system(), path, bound);
  CAF_REQUIRE(door);
  CAF_CHECK_EQUAL(client.listed(*door), std::size_t{3});
  auto mine = client.ask<vm_info>(*door, caf::get_atom::value, vm_name{"x"});
  CAF_REQUIRE(mine);
  CAF_CHECK(mine->owner.kind == caller_kind::socket);
  CAF_CHECK_EQUAL(mine->owner.uid, ::geteuid());
  CAF_CHECK_EQUAL(mine->owner.gid, ::getegid());
  CAF_CHECK_EQUAL(mine->owner.pid, ::getpid());
  CAF_CHECK(!client.ask<vm_info>(*door, start_atom::value, vm_cid{1}));
  CAF_CHECK(client.why().find("not here") != std::string::npos);
}

CAF_TEST(a sender in this process is its own) {
  caf::scoped_actor local{service->system};
  auto found = service->known->find(caf::actor_cast<caf::strong_actor_ptr>(local));
  CAF_REQUIRE(found);
  CAF_CHECK_EQUAL(found->uid, 4321u);
  CAF_CHECK(!service->known->find(nullptr));
}

CAF_TEST(a client that watches is told by nobody it could name) {
  serve();
  client_system client;
  auto door = connect_unix(client.system(), path, bound);
  CAF_REQUIRE(door);
  caf::scoped_actor watcher{client.system()};
  watcher->request(*door, patience, watch_atom::value, std::uint64_t{0})
    .receive([](std::uint64_t) {}, [](caf::error&) { CAF_FAIL("no watch"); });
  auto told = false;
  watcher->receive(
    [&](const vm_event& event) {
      told = event.name == "told";
      CAF_CHECK(watcher->current_sender() == nullptr);
    },
    caf::after(patience) >> [] {});
  CAF_CHECK(told);
}

CAF_TEST(an actor of a clients that ends is down for the door) {
  serve();
  client_system client;
  auto door = connect_unix(client.system(), path, bound);
  CAF_REQUIRE(door);
  {
    caf::scoped_actor watcher{client.system()};
    watcher->request(*door, patience, watch_atom::value, std::uint64_t{0})
      .receive([](std::uint64_t) {}, [](caf::error&) { CAF_FAIL("no watch"); });
    CAF_CHECK_EQUAL(watchers(client, *door), 1u);
  }
  CAF_CHECK(becomes([&] { return watchers(client, *door) == 0; }));
}

CAF_TEST(nothing is left of clients that are gone) {
  serve();
  for (int i = 0; i < 3; ++i) {
    client_system client;
    auto door = connect_unix(client.system(), path, bound);
    CAF_REQUIRE(door);
    CAF_CHECK_EQUAL(client.listed(*door), std::size_t{3});
    CAF_CHECK_EQUAL(service->known->connections(), std::size_t{1});
  }
  CAF_CHECK(becomes([&] { return quiet(); }));
}

CAF_TEST(a client that says something and closes at once leaves no descriptor) {
  serve();
  holdings before;
  for (int i = 0; i < 200; ++i) {
    client_system client;
    auto door = connect_unix(client.system(), path, bound);
    CAF_REQUIRE(door);
    // In one turn of its loop, more often than not.
    caf::scoped_actor sender{client.system()};
    auto broker = calling_broker_of(client.system());
    sender->send(*door, list_atom::value);
    sender->request(broker, bound, caf::close_atom::value)
      .receive([](caf::ok_atom) {}, [](const caf::error&) {});
  }
  CAF_CHECK(becomes([&] { return holdings{} == before; }));
}

CAF_TEST(a service that closes all is down for its clients) {
  serve();
  client_system client;
  auto door = connect_unix(client.system(), path, bound);
  CAF_REQUIRE(door);
  close_all(service->system);
  CAF_CHECK(goes_down(client.system(), *door));
  CAF_CHECK(becomes([&] { return quiet(); }));
  auto again = connect_unix(client.system(), path, bound);
  CAF_CHECK(!again);
}

CAF_TEST(a client connects again to the next service) {
  serve();
  client_system client;
  auto door = connect_unix(client.system(), path, bound);
  CAF_REQUIRE(door);
  service = nullptr;
  CAF_CHECK(goes_down(client.system(), *door));
  ::unlink(path.c_str());
  service = std::make_unique<service_system>(own, 5);
  serve();
  auto next = connect_unix(client.system(), path, bound);
  CAF_REQUIRE(next);
  CAF_CHECK_EQUAL(client.listed(*next), std::size_t{5});
}

CAF_TEST(a service that is killed is down for its clients) {
  server_process server{program_folder() + "/crosvisor-basp-server", listen_at(path)};
  client_system client;
  auto door = connect_unix(client.system(), path, bound);
  CAF_REQUIRE(door);
  CAF_CHECK_EQUAL(client.listed(*door), std::size_t{16});
  ::kill(server.pid(), SIGKILL);
  CAF_CHECK(goes_down(client.system(), *door));
}

CAF_TEST(whom the service does not admit it turns away) {
  listen_options options;
  std::atomic<std::int32_t> asked = 0;
  options.admits = [&](const caller& who) {
    asked = who.pid;
    return false;
  };
  serve(options);
  client_system client;
  auto door = connect_unix(client.system(), path, bound);
  CAF_REQUIRE(!door);
  CAF_CHECK_EQUAL(door.why().code, EACCES);
  CAF_CHECK_EQUAL(door.why().what, path
                                     + ": does not admit this client, or has no room for it "
                                       "(limits.connections); its log says which");
  CAF_CHECK_EQUAL(asked.load(), ::getpid());
}

CAF_TEST(whom the service turns away hears so however their words cross) {
  listen_options options;
  options.admits = [](const caller&) { return false; };
  serve(options);
  for (int i = 0; i < 100; ++i) {
    client_system client;
    auto door = connect_unix(client.system(), path, bound);
    CAF_REQUIRE(!door);
    CAF_REQUIRE_EQUAL(door.why().code, EACCES);
  }
}

CAF_TEST(a service that ends during the handshake has refused nobody) {
  auto listening = listen_at(path);
  for (auto listens_first : {true, false}) {
    std::thread played{[&] {
      io::unique_fd accepted{::accept(listening.get(), nullptr, nullptr)};
      char word;
      if (listens_first)
        ::recv(accepted.get(), &word, 1, 0);
    }};
    client_system client;
    auto door = connect_unix(client.system(), path, bound);
    played.join();
    CAF_REQUIRE(!door);
    CAF_CHECK_EQUAL(door.why().code, 0);
    CAF_CHECK_EQUAL(door.why().what, path + ": closed the connection during the handshake");
  }
}

CAF_TEST(a principal has so many connections) {
  listen_options options;
  options.limits.connections_per_principal = 2;
  serve(options);
  auto first = raw();
  CAF_CHECK(first.greet(basp::own_node(1)));
  {
    auto second = raw();
    CAF_CHECK(second.greet(basp::own_node(2)));
    CAF_CHECK(!raw().greet(basp::own_node(3)));
  }
  CAF_CHECK(becomes([&] { return raw().greet(basp::own_node(4)); }));
  CAF_CHECK(first.served());
}

CAF_TEST(a connection without a handshake ends in time) {
  listen_options options;
  options.limits.handshake = 300ms;
  serve(options);
  auto idle = raw();
  auto half = raw();
  half.send(std::string(20, '\1'));
  auto greeted = raw();
  CAF_CHECK(greeted.greet(basp::own_node(1)));
  CAF_CHECK(idle.ends());
  CAF_CHECK(half.ends());
  CAF_CHECK(greeted.served());
}

CAF_TEST(the service says nothing before the handshake) {
  listen_options options;
  options.limits.handshake = 300ms;
  serve(options);
  auto idle = raw_unix(path)();
  CAF_CHECK(!idle->receive(1));
}

CAF_TEST(a socket that the user may not use says so) {
  serve();
  ::chmod(path.c_str(), 0);
  ::chmod(dir.path().c_str(), 0711);
  client_system client;
  std::string why;
  // Root may use any; of a thread's own credentials glibc knows nothing.
  std::thread{[&] {
    if (::geteuid() == 0)
      ::syscall(SYS_setresuid, 65534, 65534, 65534);
    auto door = connect_unix(client.system(), path, bound);
    why = door ? "" : door.why().what;
  }}.join();
  CAF_CHECK_EQUAL(why, path + ": this user may not connect: Permission denied");
}

CAF_TEST(only a listening stream socket is served) {
  auto with = [&](int fd) {
    auto result =
      listen_unix(service->system, service->door, io::unique_fd{fd}, service->known, {});
    return result ? "" : result.why().what;
  };
  CAF_CHECK_EQUAL(with(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)),
                  "listening socket: not a stream socket that listens");
  CAF_CHECK_EQUAL(with(-1), "listening socket: Bad file descriptor");
}

CAF_TEST(a system without a middleman says so) {
  caf::actor_system_config config;
  register_types(config);
  caf::actor_system plain{config};
  serve();
  auto door = connect_unix(plain, path, bound);
  CAF_REQUIRE(!door);
  CAF_CHECK_EQUAL(door.why().what, "actor system: load_middleman() was not called for it");
}

CAF_TEST_FIXTURE_SCOPE_END()
