// SPDX-License-Identifier: Apache-2.0
// One side of a TLS connection, over a socket that does not block.
#pragma once

#include "crosvisor/io/result.hpp"
#include "crosvisor/service/transport/openssl_types.hpp"
#include "crosvisor/service/transport/tls_context.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace crosvisor::transport {

/// How far a step went.
enum class tls_step : std::uint8_t {
  done,
  waiting, ///< For the socket: see blocked().
  ended,   ///< The peer said that it sends no more.
  failed,  ///< For good; see why().
};

/// The server's or the client's end of one TLS 1.3 connection.
///
/// It reads straight from the socket, and no more than one record at a time. What it sends goes
/// through a buffer of its own, which takes at most one record and what TLS itself has to say, so
/// that neither a write nor a read ever waits for the other: as long as something is in there,
/// blocked() says so, and whoever owns the socket calls flush() when it can be written.
///
/// The socket is borrowed. Use from one thread at a time; nothing blocks. Never sends SIGPIPE.
class tls_session {
public:
  /// The server's side of a connection that was accepted. Asks for a certificate of the identity's
  /// CA that is for clients.
  static io::result<std::unique_ptr<tls_session>> accept(const tls_identity& identity, int socket);

  /// The client's side. The server's certificate must be for servers, and for `host`, a name or an
  /// address, by its subject alternative names.
  static io::result<std::unique_ptr<tls_session>> connect(const tls_identity& identity, int socket,
                                                          const std::string& host);

  /// Goes on with the handshake. A client's is done before the server has judged its certificate:
  /// where that is refused, the first read fails.
  tls_step handshake();

  /// Reads up to `size` bytes, at least one when it is done. Only after the handshake.
  tls_step read(std::size_t& got, void* to, std::size_t size);

  /// Sends up to `size` bytes. What is not among the `taken` ones has to be given again, the same
  /// bytes and no fewer, even if they are on their way. Only after the handshake.
  tls_step write(std::size_t& taken, const void* from, std::size_t size);

  /// Sends what is in the buffer.
  tls_step flush();

  /// Tells the peer that no more will be sent, as far as that goes without waiting.
  void close();

  /// Says this and closes, as far as that goes without waiting, and such that the peer can read it
  /// whatever it sends meanwhile.
  void end_with(const std::string& word);

  /// Whether something waits to be sent, and how many bytes that is.
  bool blocked() const noexcept { return unsent() > 0; }
  std::size_t unsent() const noexcept;

  bool established() const noexcept { return established_; }

  /// Whether it is over. A write that fails is not the end while something of the peer's is unread.
  bool failed() const noexcept { return failed_; }

  /// Whether it failed since the connection is gone, and by nothing that anybody said.
  bool cut() const noexcept { return cut_; }

  /// Bytes that were decrypted and not yet read: the socket won't announce them.
  std::size_t pending() const noexcept;

  /// The peer's, as RFC 2253 writes it; empty until the handshake is done.
  const std::string& subject() const noexcept { return subject_; }

  /// One sentence, after failed.
  const std::string& why() const noexcept { return why_; }

  explicit tls_session(openssl_ptr<SSL> ssl, int socket);

private:
  static io::result<std::unique_ptr<tls_session>> make(const tls_identity& identity, int socket);
  io::result<void> expect_host(const std::string& host);
  tls_step know_peer();
  tls_step judge(int answer);
  tls_step lose(int code);
  tls_step fail(std::string why);

  openssl_ptr<SSL> ssl_;
  int socket_;
  /// How much of the buffer is sent.
  std::size_t sent_ = 0;
  /// Bytes of a write that are in the buffer and not yet reported as taken.
  std::size_t untold_ = 0;
  std::string host_;
  std::string subject_;
  std::string why_;
  bool established_ = false;
  bool failed_ = false;
  bool cut_ = false;
  bool closed_ = false;
};

} // namespace crosvisor::transport
