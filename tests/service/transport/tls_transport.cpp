// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/tests/io/temp_dir.hpp"
#include "crosvisor/tests/service/transport/test_certificates.hpp"
#include "crosvisor/tests/service/transport/tls_door.hpp"

#include <caf/test/dsl.hpp>

#include <sys/resource.h>
#include <sys/un.h>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#undef CAF_SUITE
#define CAF_SUITE service.transport.tls_transport

using namespace crosvisor;
using namespace crosvisor::tests;
using namespace std::chrono_literals;

namespace {

using identity_ptr = tls_door::identity_ptr;

struct fixture {
  fixture() { write_test_certificates(dir.path(), {}); }

  identity_ptr load(const std::string& name, const std::string& authority = "ca") const {
    auto loaded = transport::load_tls_identity(
      {dir / (name + ".pem"), dir / (name + ".key"), dir / (authority + ".pem")});
    if (!loaded)
      CAF_FAIL(loaded.why().what);
    return *loaded;
  }

  io::result<door_actor> connect(std::uint16_t port, const std::string& as = "client",
                                 const std::string& host = "localhost",
                                 std::chrono::milliseconds bound = patience) {
    return transport::connect_tls(client.system, host, port, load(as), bound);
  }

  /// Why it could not; empty: it could.
  std::string refusal(std::uint16_t port, const identity_ptr& as,
                      const std::string& host = "localhost",
                      std::chrono::milliseconds bound = patience) {
    auto made = transport::connect_tls(client.system, host, port, as, bound);
    return made ? "" : made.why().what;
  }

  static bool has(const std::string& text, const std::string& part) {
    if (text.find(part) != std::string::npos)
      return true;
    CAF_MESSAGE("no \"" << part << "\" in: " << text);
    return false;
  }

  static std::chrono::microseconds cpu_time() {
    rusage used{};
    ::getrusage(RUSAGE_SELF, &used);
    auto of = [](const timeval& time) {
      return std::chrono::seconds{time.tv_sec} + std::chrono::microseconds{time.tv_usec};
    };
    return of(used.ru_utime) + of(used.ru_stime);
  }

  /// Whether the other side closed it.
  static bool closed(const io::unique_fd& socket) {
    char bytes[4096];
    while (true) {
      auto n = ::recv(socket.get(), bytes, sizeof(bytes), 0);
      if (n <= 0)
        return n == 0 || errno == ECONNRESET;
    }
  }

  temp_dir dir;
  network_system client;
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(tls_transport_tests, fixture)

CAF_TEST(a client is known by the subject of its certificate) {
  tls_door door{load("server")};
  auto reached = connect(door.port);
  CAF_REQUIRE(reached);
  CAF_CHECK_EQUAL(list(client.system, *reached), 3);
  caf::scoped_actor watcher{client.system};
  CAF_REQUIRE(watch(watcher, *reached));
  CAF_REQUIRE(door.record->wait_came(1));
  auto who = door.record->last();
  CAF_REQUIRE(who);
  CAF_CHECK(who->kind == caller_kind::certificate);
  CAF_CHECK_EQUAL(who->subject, "CN=client");
  CAF_CHECK_EQUAL(who->uid, 0u);
  CAF_CHECK_EQUAL(door.peers->connections(), std::size_t{1});
}

CAF_TEST(names and addresses of the certificate are reached) {
  tls_door door{load("server")};
  CAF_CHECK(connect(door.port, "client", "127.0.0.1"));
  loopback six{AF_INET6};
  if (!six.usable) {
    CAF_MESSAGE("skipped: this host has no IPv6 loopback");
    return;
  }
  tls_door other{load("server"), {}, std::move(six)};
  auto reached = transport::connect_tls(client.system, "::1", other.port, load("client"), patience);
  CAF_CHECK(reached);
}

CAF_TEST(listening and connecting need an identity) {
  network_system side;
  auto known = transport::peers::make(side.system, {});
  auto door = caf::actor_cast<door_actor>(
    side.system.spawn(recording_door, std::make_shared<door_record>(), known, std::size_t{1}));
  for (auto source : {std::function<identity_ptr()>{},
                      std::function<identity_ptr()>{[] { return identity_ptr{}; }}}) {
    auto done = transport::listen_tls(side.system, door, loopback{}.socket, known, source, {});
    CAF_REQUIRE(!done);
    CAF_CHECK(has(done.why().what, "needs a certificate, its key and a CA"));
  }
  CAF_CHECK(has(refusal(1, nullptr), "tls://localhost:1: needs a certificate"));
  caf::anon_send_exit(door, caf::exit_reason::user_shutdown);
}

CAF_TEST(no transport serves sockets of the other) {
  network_system side;
  auto known = transport::peers::make(side.system, {});
  auto door = caf::actor_cast<door_actor>(
    side.system.spawn(recording_door, std::make_shared<door_record>(), known, std::size_t{1}));
  auto own = load("server");
  io::unique_fd local{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  (dir / "socket").copy(address.sun_path, sizeof(address.sun_path) - 1);
  CAF_REQUIRE(::bind(local.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0);
  CAF_REQUIRE(::listen(local.get(), 1) == 0);
  CAF_CHECK(
    !transport::listen_tls(side.system, door, std::move(local), known, [&] { return own; }, {}));
  // Without TLS, other hosts would be nobody, or somebody with uid -1.
  CAF_CHECK(!transport::listen_unix(side.system, door, loopback{}.socket, known, {}));
  caf::anon_send_exit(door, caf::exit_reason::user_shutdown);
}

CAF_TEST(each way to be refused has its sentence) {
  tls_door door{load("server")};
  auto where = "tls://localhost:" + std::to_string(door.port) + ": ";
  // A client of another CA's that believes ours.
  test_authority foreign{dir.path(), "elsewhere"};
  auto files = foreign.issue("stranger", {.common_name = "client", .usage = "clientAuth"});
  dir.write("both.pem", read_file(foreign.path()) + read_file(dir / "ca.pem"));
  CAF_CHECK_EQUAL(refusal(door.port, load("stranger", "both")),
                  where
                    + "the peer refused our certificate: it is not of the CA that the peer "
                      "believes");
  CAF_CHECK_EQUAL(refusal(door.port, load("stranger", "elsewhere")),
                  where + "the peer's certificate is of a CA that is unknown here");
  CAF_CHECK_EQUAL(refusal(door.port, load("server")),
                  where + "the peer refused our certificate: it is not for this use");
  tls_door wrong{load("client")};
  CAF_CHECK(has(refusal(wrong.port, load("client")), "is not for this use"));
}

CAF_TEST(a certificate for another host is refused) {
  test_authority ca{dir.path(), "ca"};
  ca.issue("elsewhere", {.common_name = "localhost", .hosts = {"other.example"}});
  ca.issue("client", {.common_name = "client"});
  tls_door door{load("elsewhere")};
  auto where = std::to_string(door.port);
  CAF_CHECK_EQUAL(refusal(door.port, load("client")),
                  "tls://localhost:" + where + ": the peer's certificate is not for \"localhost\"");
  CAF_CHECK_EQUAL(refusal(door.port, load("client"), "127.0.0.1"),
                  "tls://127.0.0.1:" + where + ": the peer's certificate is not for \"127.0.0.1\"");
}

CAF_TEST(nobody who listens is said so) {
  loopback closed_port;
  auto port = closed_port.port;
  closed_port.socket.reset();
  CAF_CHECK_EQUAL(refusal(port, load("client"), "127.0.0.1"),
                  "tls://127.0.0.1:" + std::to_string(port)
                    + ": can't connect: Connection refused");
}

CAF_TEST(a name that nobody has is said so) {
  CAF_CHECK(has(refusal(7443, load("client"), "no-such-host.invalid", 2s),
                "tls://no-such-host.invalid:7443: can't resolve \"no-such-host.invalid\": "));
}

CAF_TEST(a host that never answers costs no more than the bound) {
  loopback silent;
  auto start = std::chrono::steady_clock::now();
  CAF_CHECK(has(refusal(silent.port, load("client"), "127.0.0.1", 300ms), "timed out"));
  auto took = std::chrono::steady_clock::now() - start;
  CAF_CHECK(took >= 290ms); // poll(2) counts in milliseconds of its own.
  CAF_CHECK(took < 5s);
}

CAF_TEST(a server that does tls and then nothing costs no more than the bound) {
  // Another client's end: it has shaken hands, and says nothing.
  loopback silent;
  auto identity = load("server");
  std::thread server{[&] {
    io::unique_fd accepted{::accept(silent.socket.get(), nullptr, nullptr)};
    transport::openssl_ptr<SSL_CTX> context{SSL_CTX_new(TLS_server_method())};
    SSL_CTX_use_certificate_file(context.get(), (dir / "server.pem").c_str(), SSL_FILETYPE_PEM);
    SSL_CTX_use_PrivateKey_file(context.get(), (dir / "server.key").c_str(), SSL_FILETYPE_PEM);
    transport::openssl_ptr<SSL> ssl{SSL_new(context.get())};
    SSL_set_fd(ssl.get(), accepted.get());
    char bytes[1024];
    if (SSL_accept(ssl.get()) == 1)
      while (SSL_read(ssl.get(), bytes, sizeof(bytes)) > 0) {
      }
  }};
  CAF_CHECK(has(refusal(silent.port, load("client"), "localhost", 1s), "does not answer"));
  server.join();
}

CAF_TEST(a server that speaks no tls is said so) {
  loopback plain;
  std::thread server{[&] {
    io::unique_fd accepted{::accept(plain.socket.get(), nullptr, nullptr)};
    std::string words = "220 mail.example ESMTP\r\n";
    ::send(accepted.get(), words.data(), words.size(), MSG_NOSIGNAL);
    closed(accepted);
  }};
  CAF_CHECK(has(refusal(plain.port, load("client")), "the peer speaks no TLS"));
  server.join();
}

CAF_TEST(whoever may not connect does not ) {
  transport::listen_options options;
  options.admits = [](const caller& who) { return who.subject == "CN=other"; };
  tls_door door{load("server"), options};
  for (int i = 0; i < 20; ++i) {
    auto refused =
      transport::connect_tls(client.system, "localhost", door.port, load("client"), patience);
    CAF_REQUIRE(!refused);
    CAF_CHECK_EQUAL(refused.why().code, EACCES);
    CAF_CHECK(has(refused.why().what, "does not admit this client"));
  }
  auto reached = connect(door.port, "other");
  CAF_REQUIRE(reached);
  CAF_CHECK_EQUAL(list(client.system, *reached), 3);
}

CAF_TEST(a subject has so many connections) {
  transport::listen_options options;
  options.limits.connections_per_principal = 2;
  tls_door door{load("server"), options};
  network_system second, third;
  auto identity = load("client");
  auto first_way = connect(door.port);
  auto second_way =
    transport::connect_tls(second.system, "localhost", door.port, identity, patience);
  CAF_REQUIRE(first_way);
  CAF_REQUIRE(second_way);
  auto third_way = transport::connect_tls(third.system, "localhost", door.port, identity, patience);
  CAF_CHECK(!third_way);
  auto others =
    transport::connect_tls(third.system, "localhost", door.port, load("other"), patience);
  CAF_CHECK(others);
  CAF_CHECK_EQUAL(list(client.system, *first_way), 3);
}

CAF_TEST(slow handshakes and garbage cost others nothing) {
  transport::listen_options options;
  options.limits.handshake = 1500ms;
  tls_door door{load("server"), options};
  auto good = connect(door.port);
  CAF_REQUIRE(good);
  std::vector<io::unique_fd> idle, half, garbage;
  for (int i = 0; i < 40; ++i) {
    idle.push_back(raw_client(door.port));
    half.push_back(raw_client(door.port));
    // A record that says it is longer than what comes.
    ::send(half.back().get(), "\x16\x03\x01\x02\x00\x01", 6, MSG_NOSIGNAL);
    garbage.push_back(raw_client(door.port));
    ::send(garbage.back().get(), "GET / HTTP/1.0\r\n\r\n", 18, MSG_NOSIGNAL);
  }
  for (auto& socket : garbage)
    CAF_CHECK(closed(socket));
  auto before = cpu_time();
  CAF_CHECK_EQUAL(list(client.system, *good), 3);
  for (auto& socket : idle)
    CAF_CHECK(closed(socket));
  for (auto& socket : half)
    CAF_CHECK(closed(socket));
  // Nothing turned in circles while they waited.
  auto spent = cpu_time() - before;
  CAF_CHECK(spent < 700ms);
  CAF_CHECK_EQUAL(list(client.system, *good), 3);
  CAF_CHECK_EQUAL(door.peers->connections(), std::size_t{1});
}

CAF_TEST(large answers come through tiny buffers) {
  tls_door door{load("server"), {}, loopback{AF_INET, 1}, 8000};
  auto reached = connect(door.port);
  CAF_REQUIRE(reached);
  for (int i = 0; i < 3; ++i)
    CAF_CHECK_EQUAL(list(client.system, *reached), 8000);
}

CAF_TEST(a renewed certificate is used from then on) {
  tls_door door{load("server")};
  auto before = connect(door.port);
  CAF_REQUIRE(before);
  test_authority next{dir.path(), "next-ca"};
  next.issue("next", {.common_name = "next", .hosts = {"localhost"}});
  next.issue("next-client", {.common_name = "client"});
  CAF_CHECK(!refusal(door.port, load("next-client", "next-ca")).empty());
  door.renew(load("next", "next-ca"));
  // Connections that are there live on.
  CAF_CHECK_EQUAL(list(client.system, *before), 3);
  network_system later;
  auto after = transport::connect_tls(later.system, "localhost", door.port,
                                      load("next-client", "next-ca"), patience);
  CAF_REQUIRE(after);
  CAF_CHECK_EQUAL(list(later.system, *after), 3);
  door.renew(nullptr);
  CAF_CHECK(!refusal(door.port, load("next-client", "next-ca")).empty());
}

CAF_TEST(a client that leaves is gone at once) {
  tls_door door{load("server")};
  {
    network_system leaving;
    auto reached =
      transport::connect_tls(leaving.system, "localhost", door.port, load("client"), patience);
    CAF_REQUIRE(reached);
    caf::scoped_actor watcher{leaving.system};
    CAF_REQUIRE(watch(watcher, *reached));
    CAF_REQUIRE(door.record->wait_came(1));
  }
  CAF_CHECK(door.record->wait_went(1));
}

CAF_TEST_FIXTURE_SCOPE_END()
