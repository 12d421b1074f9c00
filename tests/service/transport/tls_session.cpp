// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/transport/tls_session.hpp"

#include "crosvisor/tests/io/temp_dir.hpp"
#include "crosvisor/tests/service/transport/test_certificates.hpp"
#include "crosvisor/tests/service/transport/tls_pair.hpp"

#include <caf/test/dsl.hpp>

#include <chrono>
#include <random>
#include <string>
#include <vector>

#undef CAF_SUITE
#define CAF_SUITE service.transport.tls_session

using namespace crosvisor;
using namespace crosvisor::tests;
using namespace std::chrono_literals;

namespace {

using identity_ptr = std::shared_ptr<const tls_identity>;

struct fixture {
  static bool has(const std::string& text, const std::string& part) {
    if (text.find(part) != std::string::npos)
      return true;
    CAF_MESSAGE("no \"" << part << "\" in: " << text);
    return false;
  }

  identity_ptr issue(const certificate_wish& wish) { return load(ca.issue("issued", wish)); }

  static identity_ptr load(const transport::tls_files& files) {
    auto loaded = transport::load_tls_identity(files);
    if (!loaded)
      CAF_FAIL(loaded.why().what);
    return *loaded;
  }

  /// An identity without a look at whether it is any good, as an attacker would have.
  static identity_ptr forge(const transport::tls_files& files) {
    transport::openssl_ptr<SSL_CTX> context{SSL_CTX_new(TLS_method())};
    SSL_CTX_use_certificate_chain_file(context.get(), files.certificate.c_str());
    SSL_CTX_use_PrivateKey_file(context.get(), files.key.c_str(), SSL_FILETYPE_PEM);
    SSL_CTX_load_verify_locations(context.get(), files.ca.c_str(), nullptr);
    return std::make_shared<tls_identity>(std::move(context), "forged");
  }

  /// The client's last word and the server's, where a handshake is refused.
  std::pair<std::string, std::string> refusal(const identity_ptr& server_identity,
                                              const identity_ptr& client_identity,
                                              const std::string& host = "localhost") {
    tls_pair pair{*server_identity, *client_identity, host};
    if (pair.handshake())
      return {};
    auto word = pair.client_word();
    return {word, pair.server->why()};
  }

  /// Whether a server's certificate for `names` is one for `host`.
  bool accepts(const std::vector<std::string>& names, const std::string& host) {
    auto identity = issue({.common_name = "host.example", .hosts = names});
    tls_pair pair{*identity, *client, host};
    return pair.handshake();
  }

  temp_dir dir;
  test_authority ca{dir.path(), "ca"};
  identity_ptr server = load(
    ca.issue("server", {.common_name = "server", .hosts = {"localhost"}, .usage = "serverAuth"}));
  identity_ptr client = load(
    ca.issue("client", {.common_name = "alice", .organization = "Example", .usage = "clientAuth"}));
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(tls_session_tests, fixture)

CAF_TEST(each side learns the subject of the other) {
  tls_pair pair{*server, *client};
  CAF_CHECK(!pair.server->established());
  CAF_CHECK_EQUAL(pair.server->subject(), "");
  CAF_REQUIRE(pair.handshake());
  CAF_CHECK_EQUAL(pair.server->subject(), "CN=alice,O=Example");
  CAF_CHECK_EQUAL(pair.client->subject(), "CN=server");
}

CAF_TEST(a subject is written as rfc 2253 says) {
  auto subject = [&](const std::string& name) {
    auto identity = issue({.common_name = name});
    tls_pair pair{*server, *identity};
    CAF_REQUIRE(pair.handshake());
    return pair.server->subject();
  };
  CAF_CHECK_EQUAL(subject("a,b+c\"d\\e<f>g;h"), "CN=a\\,b\\+c\\\"d\\\\e\\<f\\>g\\;h");
  CAF_CHECK_EQUAL(subject("#a "), "CN=\\#a\\ ");
  CAF_CHECK_EQUAL(subject("J\xc3\xbcrgen"), "CN=J\\C3\\BCrgen");
  CAF_CHECK_EQUAL(subject("evil\nCN=root"), "CN=evil\\0ACN=root");
  CAF_CHECK_EQUAL(subject(std::string{"a\0b", 3}), "CN=a\\00b");
}

CAF_TEST(a client without a subject is nobody) {
  auto nobody = issue({.common_name = ""});
  auto said = refusal(server, nobody).second;
  CAF_CHECK(has(said, "has no subject"));
}

CAF_TEST(a server needs no subject) {
  auto unnamed = issue({.common_name = "", .hosts = {"localhost"}});
  tls_pair pair{*unnamed, *client};
  CAF_CHECK(pair.handshake());
}

CAF_TEST(it is tls 1.3 and is not resumed) {
  tls_pair pair{*server, *client};
  CAF_REQUIRE(pair.handshake());
  std::size_t n = 0;
  CAF_CHECK(pair.server->write(n, "x", 1) == tls_step::done);
  char byte = 0;
  CAF_CHECK(pair.client->read(n, &byte, 1) == tls_step::done);
  auto ssl = SSL_new(client->context());
  CAF_CHECK_EQUAL(SSL_CTX_get_min_proto_version(client->context()), TLS1_3_VERSION);
  CAF_CHECK_EQUAL(SSL_CTX_get_max_proto_version(client->context()), TLS1_3_VERSION);
  CAF_CHECK_EQUAL(SSL_get_num_tickets(ssl), std::size_t{0});
  CAF_CHECK_EQUAL(SSL_get_max_early_data(ssl), 0u);
  CAF_CHECK_EQUAL(SSL_CTX_sess_number(server->context()), 0);
  SSL_free(ssl);
}

CAF_TEST(a client that only speaks tls 1.2 is refused) {
  auto old = forge({dir / "client.pem", dir / "client.key", ca.path()});
  SSL_CTX_set_max_proto_version(old->context(), TLS1_2_VERSION);
  auto [theirs, ours] = refusal(server, old);
  CAF_CHECK_EQUAL(ours, "the peer speaks no TLS 1.3");
  CAF_CHECK_EQUAL(theirs, "the peer speaks no TLS 1.3");
}

CAF_TEST(a server that only speaks tls 1.2 is refused) {
  auto old = forge({dir / "server.pem", dir / "server.key", ca.path()});
  SSL_CTX_set_max_proto_version(old->context(), TLS1_2_VERSION);
  CAF_CHECK_EQUAL(refusal(old, client).first, "the peer speaks no TLS 1.3");
}

CAF_TEST(a client without a certificate is refused) {
  transport::openssl_ptr<SSL_CTX> context{SSL_CTX_new(TLS_method())};
  CAF_REQUIRE(SSL_CTX_load_verify_locations(context.get(), ca.path().c_str(), nullptr) == 1);
  auto none = std::make_shared<tls_identity>(std::move(context), "none");
  auto [theirs, ours] = refusal(server, none);
  CAF_CHECK_EQUAL(ours, "the peer sent no certificate");
  CAF_CHECK_EQUAL(theirs, "the peer refused our certificate: none was sent");
}

CAF_TEST(a client of a foreign ca is refused) {
  test_authority foreign{dir.path(), "foreign-ca"};
  auto files = foreign.issue("foreign", {.common_name = "alice", .organization = "Example"});
  files.ca = ca.path();
  auto [theirs, ours] = refusal(server, forge(files));
  CAF_CHECK_EQUAL(ours, "the peer's certificate is of a CA that is unknown here");
  CAF_CHECK(has(theirs, "the peer refused our certificate: "));
  CAF_CHECK(has(theirs, "it is not of the CA that the peer believes"));
}

CAF_TEST(a server of a foreign ca is refused) {
  test_authority foreign{dir.path(), "foreign-ca"};
  auto files = foreign.issue("foreign", {.common_name = "server", .hosts = {"localhost"}});
  auto [theirs, ours] = refusal(load(files), client);
  CAF_CHECK_EQUAL(theirs, "the peer's certificate is of a CA that is unknown here");
  CAF_CHECK(has(ours, "the peer refused our certificate: "));
}

CAF_TEST(a self signed certificate is refused) {
  // Of the same name as our CA, even.
  temp_dir elsewhere;
  test_authority twin{elsewhere.path(), "ca"};
  auto files = twin.issue("twin", {.common_name = "alice"});
  files.ca = ca.path();
  CAF_CHECK(has(refusal(server, forge(files)).second, "the peer's certificate "));
}

CAF_TEST(a certificate that expired is refused by either side) {
  auto files =
    ca.issue("old", {.common_name = "alice", .hosts = {"localhost"}, .begins = -48h, .ends = -1h});
  auto old = forge(files);
  auto [theirs, ours] = refusal(server, old);
  CAF_CHECK_EQUAL(ours, "the peer's certificate expired");
  CAF_CHECK_EQUAL(theirs, "the peer refused our certificate: it expired, or is not valid yet");
  CAF_CHECK_EQUAL(refusal(old, client).first, "the peer's certificate expired");
  auto early = forge(ca.issue("early", {.common_name = "alice", .begins = 1h}));
  CAF_CHECK_EQUAL(refusal(server, early).second,
                  "the peer's certificate is not valid before later");
}

CAF_TEST(a certificate for the other use is refused by either side) {
  auto [theirs, ours] = refusal(server, server);
  CAF_CHECK_EQUAL(ours, "the peer's certificate is not for this use, by its extended key usage");
  CAF_CHECK_EQUAL(theirs, "the peer refused our certificate: it is not for this use");
  auto wrong = load(
    ca.issue("wrong", {.common_name = "server", .hosts = {"localhost"}, .usage = "clientAuth"}));
  CAF_CHECK_EQUAL(refusal(wrong, client).first,
                  "the peer's certificate is not for this use, by its extended key usage");
}

CAF_TEST(the host has to be among the names of the certificate) {
  CAF_CHECK(accepts({"host.example"}, "host.example"));
  CAF_CHECK(accepts({"other.example", "host.example"}, "HOST.example"));
  CAF_CHECK(accepts({"*.example.org"}, "host.example.org"));
  CAF_CHECK(accepts({"127.0.0.1"}, "127.0.0.1"));
  CAF_CHECK(accepts({"::1"}, "::1"));
  CAF_CHECK(accepts({"::1"}, "0:0:0:0:0:0:0:1"));
  CAF_CHECK(accepts({"fe80::1"}, "fe80::1%eth0"));
  CAF_CHECK(!accepts({"other.example"}, "host.example"));
  CAF_CHECK(!accepts({"*.example.org"}, "a.host.example.org"));
  CAF_CHECK(!accepts({"*.example.org"}, "example.org"));
  CAF_CHECK(!accepts({"h*.example.org"}, "host.example.org"));
  CAF_CHECK(!accepts({"127.0.0.1"}, "127.0.0.2"));
  CAF_CHECK(!accepts({"127.0.0.1"}, "localhost"));
  CAF_CHECK(!accepts({"localhost"}, "127.0.0.1"));
  CAF_CHECK(!accepts({"::1"}, "::2"));
}

CAF_TEST(the common name is no name of a host) {
  CAF_CHECK(!accepts({}, "host.example"));
  CAF_CHECK(!accepts({"127.0.0.1"}, "host.example"));
}

CAF_TEST(a wrong host is named) {
  auto said = refusal(server, client, "other.example");
  CAF_CHECK_EQUAL(said.first, "the peer's certificate is not for \"other.example\"");
  said = refusal(server, client, "127.0.0.1");
  CAF_CHECK_EQUAL(said.first, "the peer's certificate is not for \"127.0.0.1\"");
}

CAF_TEST(a host that is none is refused) {
  socket_pair sockets;
  for (auto& host : {std::string{}, std::string{"a\0b", 3}, std::string{"%eth0"}}) {
    auto made = tls_session::connect(*client, sockets.a.get(), host);
    CAF_REQUIRE(!made);
    CAF_CHECK(has(made.why().what, "is neither a name nor an address"));
  }
}

CAF_TEST(a handshake gets through tiny buffers) {
  std::vector<std::string> many{"localhost"};
  for (int i = 0; i < 400; ++i)
    many.push_back("host-" + std::to_string(i) + ".example.org");
  auto large = issue({.common_name = "large", .hosts = many});
  tls_pair pair{*large, *large, "localhost", 1};
  CAF_CHECK(pair.client->handshake() == tls_step::waiting);
  CAF_CHECK(pair.server->handshake() == tls_step::waiting);
  // It has more to say than the socket takes.
  CAF_CHECK(pair.server->blocked());
  CAF_CHECK(pair.handshake());
}

CAF_TEST(certificates that are too large are refused) {
  std::vector<std::string> many{"localhost"};
  for (int i = 0; i < 2000; ++i)
    many.push_back("host-" + std::to_string(i) + ".example.org");
  auto large = issue({.common_name = "large", .hosts = many});
  auto said = refusal(server, large).second;
  CAF_CHECK(has(said, "excessive message size"));
}

CAF_TEST(nothing is read or written before the handshake) {
  tls_pair pair{*server, *client};
  char byte = 0;
  std::size_t n = 7;
  CAF_CHECK(pair.server->read(n, &byte, 1) == tls_step::failed);
  CAF_CHECK_EQUAL(n, std::size_t{0});
  CAF_CHECK(pair.server->write(n, &byte, 1) == tls_step::failed);
  CAF_CHECK(pair.handshake());
  CAF_CHECK(pair.server->read(n, &byte, 1) == tls_step::waiting);
}

CAF_TEST(a hundred megabytes in odd pieces get through tiny buffers both ways) {
  constexpr std::size_t total = 100u << 20;
  tls_pair pair{*server, *client, "localhost", 1};
  CAF_REQUIRE(pair.handshake());
  // One direction each; `at` is also what the byte there is made of.
  struct flow {
    tls_session& from;
    tls_session& to;
    std::minstd_rand sizes;
    std::size_t written = 0, seen = 0;
    std::size_t stalls = 0;
  };
  std::vector<char> pattern(251 * 1024);
  for (std::size_t i = 0; i < pattern.size(); ++i)
    pattern[i] = static_cast<char>(i % 251);
  std::vector<char> buffer(70000);
  auto turn = [&](flow& f) {
    std::size_t n = 0;
    auto size = std::min<std::size_t>(f.sizes() % 66000 + 1, total - f.written);
    auto step = f.from.write(n, pattern.data() + f.written % 251, size);
    f.stalls += step == tls_step::waiting;
    f.written += n;
    if (step == tls_step::failed)
      return false;
    step = f.to.read(n, buffer.data(), f.sizes() % buffer.size() + 1);
    auto same = std::equal(buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(n),
                           pattern.begin() + static_cast<std::ptrdiff_t>(f.seen % 251));
    f.seen += n;
    return step != tls_step::failed && same;
  };
  flow up{*pair.client, *pair.server, std::minstd_rand{1}};
  flow down{*pair.server, *pair.client, std::minstd_rand{2}};
  auto good = true;
  while (good && (up.seen < total || down.seen < total))
    good = turn(up) && turn(down);
  CAF_CHECK(good);
  CAF_CHECK_EQUAL(up.seen, total);
  CAF_CHECK_EQUAL(down.seen, total);
  CAF_CHECK(up.stalls > 0);
}

CAF_TEST(what is unsent stays within a record) {
  tls_pair pair{*server, *client, "localhost", 1};
  CAF_REQUIRE(pair.handshake());
  std::vector<char> much(1u << 20, 'x');
  std::size_t n = 0, taken = 0;
  for (int i = 0; i < 1000; ++i) {
    auto step = pair.server->write(n, much.data(), much.size());
    CAF_REQUIRE(step == tls_step::done || step == tls_step::waiting);
    taken += n;
  }
  CAF_CHECK(pair.server->blocked());
  CAF_CHECK(pair.server->unsent() <= std::size_t{17000});
  CAF_CHECK(taken < (1u << 20));
}

CAF_TEST(a peer says that it sends no more) {
  tls_pair pair{*server, *client};
  CAF_REQUIRE(pair.handshake());
  std::size_t n = 0;
  CAF_CHECK(pair.client->write(n, "last", 4) == tls_step::done);
  pair.client->close();
  pair.client->close();
  pair.sockets.b.reset();
  char text[16];
  CAF_CHECK(pair.server->read(n, text, sizeof(text)) == tls_step::done);
  CAF_CHECK_EQUAL(std::string(text, n), "last");
  CAF_CHECK(pair.server->read(n, text, sizeof(text)) == tls_step::ended);
  CAF_CHECK(pair.server->read(n, text, sizeof(text)) == tls_step::ended);
}

CAF_TEST(a connection that was cut is no end) {
  tls_pair pair{*server, *client};
  CAF_REQUIRE(pair.handshake());
  std::size_t n = 0;
  CAF_CHECK(pair.client->write(n, "last", 4) == tls_step::done);
  pair.sockets.b.reset();
  char text[16];
  CAF_CHECK(pair.server->read(n, text, sizeof(text)) == tls_step::done);
  CAF_CHECK(pair.server->read(n, text, sizeof(text)) == tls_step::failed);
  CAF_CHECK_EQUAL(pair.server->why(), "the peer closed the connection");
  CAF_CHECK(pair.server->write(n, "x", 1) == tls_step::failed);
}

CAF_TEST(writing to a peer that is gone fails without a signal) {
  tls_pair pair{*server, *client};
  CAF_REQUIRE(pair.handshake());
  pair.sockets.b.reset();
  std::size_t n = 0;
  CAF_CHECK(pair.server->write(n, "x", 1) == tls_step::failed);
  CAF_CHECK_EQUAL(pair.server->why(), "the peer closed the connection");
}

CAF_TEST(a handshake that was cut fails) {
  for (std::size_t keep : {0u, 1u, 5u, 100u}) {
    tls_pair pair{*server, *client};
    CAF_CHECK(pair.client->handshake() == tls_step::waiting);
    std::vector<char> hello(1000);
    auto size = ::recv(pair.sockets.a.get(), hello.data(), hello.size(), 0);
    CAF_REQUIRE(size > 100);
    CAF_REQUIRE(::send(pair.sockets.b.get(), hello.data(), keep, 0) == static_cast<ssize_t>(keep));
    CAF_CHECK(pair.server->handshake() == tls_step::waiting);
    pair.sockets.b.reset();
    CAF_CHECK(pair.server->handshake() == tls_step::failed);
    CAF_CHECK_EQUAL(pair.server->why(), "the peer closed the connection");
  }
}

CAF_TEST(somebody who speaks no tls is refused) {
  for (std::string words :
       {"GET / HTTP/1.1\r\n\r\n", "SSH-2.0-OpenSSH_9.2\r\n", "hello, is there anybody?"}) {
    socket_pair sockets;
    auto session = need_session(tls_session::accept(*server, sockets.a.get()));
    CAF_REQUIRE(::send(sockets.b.get(), words.data(), words.size(), 0) > 0);
    CAF_CHECK(session->handshake() == tls_step::failed);
    CAF_CHECK_EQUAL(session->why(), "the peer speaks no TLS");
    CAF_CHECK(session->handshake() == tls_step::failed);
  }
}

CAF_TEST(random bytes end a handshake and nothing else) {
  std::minstd_rand random{7};
  int failed = 0;
  for (int i = 0; i < 2000; ++i) {
    socket_pair sockets;
    auto session = need_session(tls_session::accept(*server, sockets.a.get()));
    std::string bytes(random() % 600 + 5, '\0');
    for (auto& byte : bytes)
      byte = static_cast<char>(random() >> 8);
    // Half of them look like a record.
    if (i % 2 == 0)
      bytes.replace(0, 3, "\x16\x03\x01");
    CAF_REQUIRE(::send(sockets.b.get(), bytes.data(), bytes.size(), 0) > 0);
    sockets.b.reset();
    auto step = session->handshake();
    step = step == tls_step::waiting ? session->handshake() : step;
    failed += step == tls_step::failed && !session->established() && !session->why().empty();
  }
  CAF_CHECK_EQUAL(failed, 2000);
}

CAF_TEST(a changed byte anywhere in a handshake ends it) {
  std::minstd_rand random{11};
  for (int i = 0; i < 300; ++i) {
    tls_pair pair{*server, *client};
    // The client's or the server's flight.
    auto first = i % 2 == 0;
    CAF_REQUIRE(pair.client->handshake() == tls_step::waiting);
    if (!first)
      CAF_REQUIRE(pair.server->handshake() == tls_step::waiting);
    auto reader = first ? pair.sockets.a.get() : pair.sockets.b.get();
    auto writer = first ? pair.sockets.b.get() : pair.sockets.a.get();
    std::vector<char> flight(16384);
    auto size = ::recv(reader, flight.data(), flight.size(), 0);
    CAF_REQUIRE(size > 0);
    // The record's version field is one that nobody looks at (RFC 8446, 5.1).
    auto at = 5 + random() % static_cast<std::size_t>(size - 5);
    flight[at] = static_cast<char>(flight[at] ^ (1 << random() % 8));
    CAF_REQUIRE(::send(writer, flight.data(), static_cast<std::size_t>(size), 0) == size);
    auto both = pair.handshake() && pair.client_word().empty();
    if (both)
      CAF_MESSAGE("byte " << at << " of flight " << i % 2);
    CAF_CHECK(!both);
  }
}

CAF_TEST(a changed byte in what follows ends the connection) {
  for (auto at : {5, 9, 20, 60}) {
    tls_pair pair{*server, *client};
    CAF_REQUIRE(pair.handshake());
    std::size_t n = 0;
    std::string text(60, 'a');
    CAF_REQUIRE(pair.client->write(n, text.data(), text.size()) == tls_step::done);
    std::vector<char> record(200);
    auto size = ::recv(pair.sockets.a.get(), record.data(), record.size(), 0);
    CAF_REQUIRE(size > 60);
    record[static_cast<std::size_t>(at)] ^= 1;
    CAF_REQUIRE(::send(pair.sockets.b.get(), record.data(), static_cast<std::size_t>(size), 0)
                == size);
    CAF_CHECK(pair.server->read(n, record.data(), record.size()) == tls_step::failed);
    CAF_CHECK(has(pair.server->why(), "TLS failed: "));
    CAF_CHECK(pair.server->read(n, record.data(), record.size()) == tls_step::failed);
  }
}

CAF_TEST(bytes that were decrypted are known to be there) {
  tls_pair pair{*server, *client};
  CAF_REQUIRE(pair.handshake());
  std::size_t n = 0;
  CAF_REQUIRE(pair.client->write(n, "hello", 5) == tls_step::done);
  CAF_CHECK_EQUAL(pair.server->pending(), std::size_t{0});
  char byte;
  CAF_REQUIRE(pair.server->read(n, &byte, 1) == tls_step::done);
  CAF_CHECK_EQUAL(pair.server->pending(), std::size_t{4});
}

CAF_TEST(a flood of key updates from a peer that reads nothing costs no memory and no time) {
  socket_pair sockets{1};
  auto session = need_session(tls_session::accept(*server, sockets.a.get()));
  transport::openssl_ptr<SSL> peer{SSL_new(client->context())};
  SSL_set_fd(peer.get(), sockets.b.get());
  SSL_set_connect_state(peer.get());
  for (int i = 0; i < 100 && !session->established(); ++i) {
    SSL_do_handshake(peer.get());
    session->handshake();
  }
  CAF_REQUIRE(session->established());
  // The server's own words fill the socket, so that answers can't be sent.
  std::vector<char> much(1u << 16, 'x');
  std::size_t n = 0;
  session->write(n, much.data(), much.size());
  CAF_REQUIRE(session->blocked());
  auto before = session->unsent();
  auto step = tls_step::waiting;
  int updates = 0;
  for (; step == tls_step::waiting && updates < 20000; ++updates) {
    SSL_key_update(peer.get(), SSL_KEY_UPDATE_REQUESTED);
    SSL_do_handshake(peer.get());
    step = session->read(n, much.data(), much.size());
    CAF_REQUIRE(session->unsent() <= before + 66000);
  }
  CAF_CHECK(updates > 100);
  CAF_CHECK(step == tls_step::failed);
  CAF_CHECK_EQUAL(session->why(), "the peer does not read");
}

CAF_TEST(the last words of a peer are heard though writing to it fails) {
  auto old = forge(ca.issue("old", {.common_name = "old", .begins = -48h, .ends = -1h}));
  tls_pair late{*server, *old};
  CAF_CHECK(!late.handshake());
  late.sockets.a.reset();
  CAF_REQUIRE(late.client->established());
  std::size_t n = 0;
  CAF_CHECK(late.client->write(n, "x", 1) == tls_step::failed);
  CAF_CHECK_EQUAL(late.client->why(),
                  "the peer refused our certificate: it expired, or is not valid yet");
}

CAF_TEST(sessions outlive their identity) {
  auto short_lived = issue({.common_name = "short", .hosts = {"localhost"}});
  tls_pair pair{*short_lived, *client};
  short_lived.reset();
  CAF_CHECK(pair.handshake());
}

CAF_TEST_FIXTURE_SCOPE_END()
