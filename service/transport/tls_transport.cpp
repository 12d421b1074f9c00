// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/config/printable.hpp"
#include "crosvisor/service/transport/dialer.hpp"
#include "crosvisor/service/transport/listener.hpp"
#include "crosvisor/service/transport/tcp_connect.hpp"
#include "crosvisor/service/transport/tls_connection.hpp"
#include "crosvisor/service/transport/transport.hpp"

#include <caf/make_counted.hpp>

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

namespace crosvisor::transport {

namespace {

using caf::io::network::default_multiplexer;
using connection_ptr = caf::intrusive_ptr<guarded_connection>;
using identity_source = std::function<std::shared_ptr<const tls_identity>()>;

/// Whoever is at the other end, for the log.
std::string address_of(int socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  char text[NI_MAXHOST];
  auto generic = reinterpret_cast<sockaddr*>(&address);
  if (::getpeername(socket, generic, &size) != 0
      || ::getnameinfo(generic, size, text, sizeof(text), nullptr, 0, NI_NUMERICHOST) != 0)
    return "a client";
  return text;
}

/// How one listener takes clients.
struct tls_reception {
  std::shared_ptr<listener_terms> terms;
  identity_source identity;

  connection_ptr operator()(default_multiplexer& loop, io::unique_fd accepted) const {
    auto connection = take(loop, std::move(accepted));
    if (connection)
      return *connection;
    terms->complain("a client was turned away: " + connection.why().what);
    return nullptr;
  }

  io::result<connection_ptr> take(default_multiplexer& loop, io::unique_fd accepted) const {
    auto welcome = terms->welcome();
    if (!welcome)
      return welcome.why();
    auto own = identity();
    if (!own)
      return io::failure{0, "there is no certificate"};
    auto made = tls_session::accept(*own, accepted.get());
    if (!made)
      return made.why();
    std::shared_ptr<tls_session> session = std::move(*made);
    welcome->silence = terms->options().limits.silence;
    // The session is the connection's, and so are these terms.
    welcome->identify = [rules = terms, peer = session.get()](basp_guard& guard,
                                                              connection_slot* slot) {
      caller who;
      who.kind = caller_kind::certificate;
      who.subject = peer->subject();
      auto admitted = rules->admit(guard, *slot, who, {});
      if (!admitted)
        peer->end_with(bare_basp_header(basp_operation::refusal));
      return admitted;
    };
    auto from = address_of(accepted.get());
    auto tell = [rules = terms, from](const tls_session& of) {
      if (!of.established() && !of.cut())
        rules->complain("no TLS with " + from + ": " + of.why());
    };
    welcome->on_end = [rules = terms, from, peer = session.get()](const std::string& why) {
      auto subject = peer->established() ? " (subject " + io::in_quotes(peer->subject()) + ")" : "";
      rules->complain(from + subject + ": " + why);
    };
    return connection_ptr{caf::make_counted<tls_connection>(
      loop, std::move(accepted), std::move(*welcome), std::move(session), std::move(tell))};
  }
};

std::string name_of(const std::string& host, std::uint16_t port) {
  auto bracketed = host.find(':') != std::string::npos ? "[" + host + "]" : host;
  return "tls://" + bracketed + ":" + std::to_string(port);
}

io::result<void> shake_hands(tls_session& session, int socket, const deadline& until) {
  while (true) {
    auto step = session.handshake();
    if (step == tls_step::failed)
      return io::failure{0, session.why()};
    if (step == tls_step::done && !session.blocked())
      return {};
    auto events = session.blocked() ? POLLIN | POLLOUT : POLLIN;
    if (!wait_for(socket, static_cast<short>(events), until.left()))
      return io::failure{ETIMEDOUT, "timed out in the TLS handshake"};
  }
}

/// A session that has met its peer, and its socket.
struct met_peer {
  io::unique_fd socket;
  std::shared_ptr<tls_session> session;
};

io::result<met_peer> meet_peer(const std::string& host, std::uint16_t port,
                               const tls_identity& identity, const deadline& until) {
  auto socket = connect_tcp(host, port, until);
  if (!socket)
    return socket.why();
  auto session = tls_session::connect(identity, socket->get(), host);
  if (!session)
    return session.why();
  auto met = shake_hands(**session, socket->get(), until);
  if (!met)
    return met.why();
  return met_peer{std::move(*socket), std::move(*session)};
}

} // namespace

io::result<void> listen_tls(caf::actor_system& system, const door_actor& door,
                            io::unique_fd listening, const std::shared_ptr<peers>& known,
                            identity_source identity, listen_options options) {
  if (!identity || !identity())
    return io::failure{0, "listening for other hosts needs a certificate, its key and a CA"};
  if (auto kind = expect_family(listening.get(), {AF_INET, AF_INET6}); !kind)
    return kind;
  options.name = "tls";
  auto terms = std::make_shared<listener_terms>(system, door, *known, std::move(options));
  return serve(system, door, std::move(listening), terms,
               tls_reception{terms, std::move(identity)});
}

io::result<door_actor> connect_tls(caf::actor_system& system, const std::string& host,
                                   std::uint16_t port,
                                   const std::shared_ptr<const tls_identity>& identity,
                                   std::chrono::milliseconds bound) {
  deadline until{bound};
  auto where = name_of(host, port);
  if (!identity)
    return io::failure{0, where + ": needs a certificate, its key and a CA"};
  auto met = meet_peer(host, port, *identity, until);
  if (!met)
    return io::failure{met.why().code, where + ": " + met.why().what};
  // A server judges our certificate after our part of the handshake: what it says then comes as the
  // first thing to read, on another thread, and before CAF says that the connection is gone.
  auto refusal = std::make_shared<std::string>();
  auto make = [&](default_multiplexer& loop, io::unique_fd socket, connection_terms terms) {
    terms.silence = peer_limits{}.silence;
    auto tell = [refusal](const tls_session& of) { *refusal = of.cut() ? "" : of.why(); };
    return connection_ptr{caf::make_counted<tls_connection>(
      loop, std::move(socket), std::move(terms), met->session, std::move(tell))};
  };
  auto door = meet(system, std::move(met->socket), make, where, until.left());
  if (!door && !refusal->empty())
    return io::failure{0, where + ": " + *refusal};
  return door;
}

} // namespace crosvisor::transport
