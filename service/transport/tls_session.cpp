// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/transport/tls_session.hpp"

#include "crosvisor/io/config/printable.hpp"
#include "crosvisor/service/transport/tls_words.hpp"

#include <arpa/inet.h>
#include <openssl/sslerr.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace crosvisor::transport {

namespace {

/// The plain bytes of one record (RFC 8446, 5.1).
constexpr std::size_t record_bytes = 1u << 14;

/// What one write sends before others get their turn.
constexpr std::size_t write_turn = 16 * record_bytes;

/// What is kept of bytes that TLS itself has to say, such as answers to key updates, to a peer that
/// does not read.
constexpr std::size_t max_unsent = 4 * record_bytes;

constexpr std::size_t max_subject_bytes = 1024;

// The zone of a link-local address means something on this host alone.
std::string without_zone(const std::string& host) {
  return host.substr(0, host.find('%'));
}

bool is_address(const std::string& host) {
  in6_addr ignored;
  return ::inet_pton(AF_INET, host.c_str(), &ignored) == 1
         || ::inet_pton(AF_INET6, host.c_str(), &ignored) == 1;
}

// SSL_set_tlsext_host_name(), whose macro has a cast that our warnings don't allow.
bool name_server(SSL* ssl, std::string host) {
  return SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, host.data()) == 1;
}

io::failure no_memory() {
  ERR_clear_error();
  return {ENOMEM, "OpenSSL has no memory for a connection"};
}

// Whether all that is wrong is that nothing more came.
bool no_words() {
  return ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
}

// Closing a socket with something unread resets the connection, and the peer may lose our last
// words, which say why.
void drain(int socket) {
  char ignored[4096];
  ::shutdown(socket, SHUT_WR);
  for (int i = 0; i < 16; ++i)
    if (::recv(socket, ignored, sizeof(ignored), MSG_DONTWAIT) <= 0)
      break;
}

} // namespace

tls_session::tls_session(openssl_ptr<SSL> ssl, int socket)
    : ssl_(std::move(ssl)), socket_(socket) {}

io::result<std::unique_ptr<tls_session>> tls_session::make(const tls_identity& identity,
                                                           int socket) {
  openssl_ptr<SSL> ssl{SSL_new(identity.context())};
  openssl_ptr<BIO> in{BIO_new_socket(socket, BIO_NOCLOSE)};
  openssl_ptr<BIO> out{BIO_new(BIO_s_mem())};
  if (!ssl || !in || !out)
    return no_memory();
  SSL_set0_rbio(ssl.get(), in.release());
  SSL_set0_wbio(ssl.get(), out.release());
  return std::make_unique<tls_session>(std::move(ssl), socket);
}

io::result<std::unique_ptr<tls_session>> tls_session::accept(const tls_identity& identity,
                                                             int socket) {
  auto made = make(identity, socket);
  if (made)
    SSL_set_accept_state((*made)->ssl_.get());
  return made;
}

io::result<std::unique_ptr<tls_session>> tls_session::connect(const tls_identity& identity,
                                                              int socket, const std::string& host) {
  auto made = make(identity, socket);
  if (!made)
    return made;
  if (auto expected = (*made)->expect_host(host); !expected)
    return expected.why();
  SSL_set_connect_state((*made)->ssl_.get());
  return made;
}

io::result<void> tls_session::expect_host(const std::string& host) {
  host_ = io::in_quotes(host);
  auto wanted = without_zone(host);
  if (wanted.empty() || wanted.find('\0') != std::string::npos)
    return io::failure{0, "host " + host_ + " is neither a name nor an address"};
  auto param = SSL_get0_param(ssl_.get());
  // A common name is for people; a client's may look like a host's.
  X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS
                                           | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
  auto set = is_address(wanted) ? X509_VERIFY_PARAM_set1_ip_asc(param, wanted.c_str()) == 1
                                : X509_VERIFY_PARAM_set1_host(param, wanted.c_str(), 0) == 1
                                    && name_server(ssl_.get(), wanted);
  ERR_clear_error();
  if (!set)
    return io::failure{0, "host " + host_ + " is neither a name nor an address"};
  return {};
}

std::size_t tls_session::unsent() const noexcept {
  return BIO_ctrl_pending(SSL_get_wbio(ssl_.get())) - sent_;
}

std::size_t tls_session::pending() const noexcept {
  return established_ ? static_cast<std::size_t>(SSL_pending(ssl_.get())) : 0;
}

tls_step tls_session::handshake() {
  if (failed_)
    return tls_step::failed;
  if (established_)
    return tls_step::done;
  ERR_clear_error();
  auto answer = SSL_do_handshake(ssl_.get());
  auto step = answer == 1 ? know_peer() : judge(answer);
  auto sent = flush();
  if (step == tls_step::failed) {
    drain(socket_);
    return step;
  }
  return sent == tls_step::failed ? sent : step;
}

tls_step tls_session::know_peer() {
  auto certificate = SSL_get0_peer_certificate(ssl_.get());
  if (certificate == nullptr || SSL_get_verify_result(ssl_.get()) != X509_V_OK)
    return fail("the peer sent no certificate");
  auto subject = subject_of(X509_get_subject_name(certificate));
  if (subject.size() > max_subject_bytes)
    return fail("the peer's certificate has a subject of more than 1 KiB");
  // Nobody could be told from another one by it.
  if (SSL_is_server(ssl_.get()) == 1 && subject.empty())
    return fail("the peer's certificate has no subject");
  subject_ = std::move(subject);
  established_ = true;
  return tls_step::done;
}

tls_step tls_session::read(std::size_t& got, void* to, std::size_t size) {
  got = 0;
  if (failed_ || !established_)
    return tls_step::failed;
  ERR_clear_error();
  auto answer = SSL_read_ex(ssl_.get(), to, size, &got);
  auto step = answer == 1 ? tls_step::done : judge(answer);
  // Reading may have made something to say.
  auto sent = flush();
  return sent == tls_step::failed && step != tls_step::done ? sent : step;
}

tls_step tls_session::write(std::size_t& taken, const void* from, std::size_t size) {
  taken = 0;
  if (failed_ || !established_)
    return tls_step::failed;
  auto bytes = static_cast<const char*>(from);
  while (true) {
    if (auto step = flush(); step != tls_step::done)
      return step == tls_step::waiting && taken > 0 ? tls_step::done : step;
    taken += std::exchange(untold_, 0);
    if (taken >= std::min(size, write_turn))
      return tls_step::done;
    ERR_clear_error();
    auto answer =
      SSL_write_ex(ssl_.get(), bytes + taken, std::min(size - taken, record_bytes), &untold_);
    if (answer != 1)
      return judge(answer);
  }
}

tls_step tls_session::flush() {
  auto out = SSL_get_wbio(ssl_.get());
  char* bytes = nullptr;
  auto size = static_cast<std::size_t>(BIO_ctrl(out, BIO_CTRL_INFO, 0, &bytes));
  while (sent_ < size) {
    auto n = ::send(socket_, bytes + sent_, size - sent_, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
      return size - sent_ > max_unsent ? fail("the peer does not read") : tls_step::waiting;
    if (n < 0)
      return lose(errno);
    sent_ += static_cast<std::size_t>(n);
  }
  if (size > 0)
    BIO_ctrl(out, BIO_CTRL_RESET, 0, nullptr);
  sent_ = 0;
  return tls_step::done;
}

// The peer's last words, if there are any, say more than that it is gone; those for whoever reads
// are read first.
tls_step tls_session::lose(int code) {
  ERR_clear_error();
  if (established_ && !failed_) {
    char ignored;
    auto answer = SSL_peek(ssl_.get(), &ignored, 1);
    if (answer > 0)
      return tls_step::failed;
    if (SSL_get_error(ssl_.get(), answer) == SSL_ERROR_SSL) {
      cut_ = no_words();
      return fail(connection_problem());
    }
  }
  ERR_clear_error();
  cut_ = true;
  return fail(std::string{"the connection is lost: "} + std::strerror(code));
}

void tls_session::close() {
  if (failed_ || !established_ || std::exchange(closed_, true))
    return;
  ERR_clear_error();
  SSL_shutdown(ssl_.get());
  ERR_clear_error();
  flush();
}

void tls_session::end_with(const std::string& word) {
  std::size_t taken;
  write(taken, word.data(), word.size());
  close();
  drain(socket_);
}

// What an answer means that is not success.
tls_step tls_session::judge(int answer) {
  auto code = errno;
  switch (SSL_get_error(ssl_.get(), answer)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE: return tls_step::waiting;
    case SSL_ERROR_ZERO_RETURN: return tls_step::ended;
    case SSL_ERROR_SYSCALL:
      cut_ = true;
      return fail(code != 0 ? std::string{"the connection is lost: "} + std::strerror(code)
                            : "the peer closed the connection");
    default: break;
  }
  cut_ = no_words();
  auto verified = SSL_get_verify_result(ssl_.get());
  if (established_ || verified == X509_V_OK)
    return fail(connection_problem());
  ERR_clear_error();
  if (verified == X509_V_ERR_HOSTNAME_MISMATCH || verified == X509_V_ERR_IP_ADDRESS_MISMATCH)
    return fail("the peer's certificate is not for " + host_);
  return fail("the peer's certificate " + certificate_problem(static_cast<int>(verified), nullptr));
}

tls_step tls_session::fail(std::string why) {
  if (!std::exchange(failed_, true))
    why_ = std::move(why);
  return tls_step::failed;
}

} // namespace crosvisor::transport
