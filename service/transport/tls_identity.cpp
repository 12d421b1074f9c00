// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/transport/tls_identity.hpp"

#include "crosvisor/io/file_bytes.hpp"
#include "crosvisor/io/unique_fd.hpp"
#include "crosvisor/service/transport/tls_context.hpp"
#include "crosvisor/service/transport/tls_words.hpp"

#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <utility>

namespace crosvisor::transport {

namespace {

constexpr std::size_t max_file_bytes = 1u << 20;

/// Certificates of one file.
constexpr int max_certificates = 16;

/// What a peer may send as its certificates, in bytes and in steps to the CA.
constexpr long max_peer_certificate_bytes = 32 * 1024;
constexpr int max_chain = 8;

struct pem_file {
  const char* role;
  const std::string& path;

  io::failure wrong(const std::string& what, int code = 0) const {
    return {code, std::string{role} + " \"" + path + "\" " + what};
  }
};

// Whoever can read the key is whoever it proves.
io::result<void> check_secret(const pem_file& file, const struct stat& is) {
  if (is.st_uid != 0 && is.st_uid != ::geteuid())
    return file.wrong(
      "belongs to uid " + std::to_string(is.st_uid) + ", not to this process's or root", EPERM);
  if ((is.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    return file.wrong("is open to others than its owner; chmod it to 0600", EPERM);
  return {};
}

io::result<std::string> read(const pem_file& file, bool secret) {
  if (file.path.empty())
    return io::failure{0, std::string{file.role} + ": no file is given"};
  // A FIFO must not make us wait.
  io::unique_fd fd{::open(file.path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)};
  struct stat is;
  if (!fd || ::fstat(fd.get(), &is) != 0)
    return io::last_failure(std::string{file.role} + " \"" + file.path + "\"");
  if (!S_ISREG(is.st_mode))
    return file.wrong("is no regular file");
  if (secret)
    if (auto checked = check_secret(file, is); !checked)
      return checked.why();
  auto text = io::read_at(fd.get(), 0, max_file_bytes + 1);
  if (!text)
    return file.wrong("can't be read: " + text.why().what, text.why().code);
  if (text->size() > max_file_bytes)
    return file.wrong("has more than 1 MiB");
  return text;
}

openssl_ptr<BIO> reader_of(const std::string& text) {
  return openssl_ptr<BIO>{BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))};
}

// OpenSSL would ask on the terminal.
int no_passphrase(char*, int, int, void* asked) {
  *static_cast<bool*>(asked) = true;
  return -1;
}

io::result<certificate_stack> read_certificates(const pem_file& file) {
  auto text = read(file, false);
  if (!text)
    return text.why();
  auto reader = reader_of(*text);
  certificate_stack all{sk_X509_new_null()};
  bool asked = false;
  ERR_clear_error();
  while (auto next = PEM_read_bio_X509(reader.get(), nullptr, no_passphrase, &asked)) {
    sk_X509_push(all.get(), next);
    if (sk_X509_num(all.get()) > max_certificates)
      return file.wrong("has more than " + std::to_string(max_certificates) + " certificates");
  }
  auto ended = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (!ended)
    return file.wrong("has a broken certificate");
  if (sk_X509_num(all.get()) == 0)
    return file.wrong("has no certificate in PEM format");
  return all;
}

io::result<openssl_ptr<EVP_PKEY>> read_key(const pem_file& file) {
  auto text = read(file, true);
  if (!text)
    return text.why();
  auto reader = reader_of(*text);
  bool asked = false;
  openssl_ptr<EVP_PKEY> key{PEM_read_bio_PrivateKey(reader.get(), nullptr, no_passphrase, &asked)};
  OPENSSL_cleanse(text->data(), text->size());
  ERR_clear_error();
  if (asked)
    return file.wrong("is encrypted; a daemon has nobody to ask for the passphrase");
  if (!key)
    return file.wrong("has no private key in PEM format");
  return key;
}

io::result<void> believe(SSL_CTX* context, const pem_file& file, const certificate_stack& all) {
  auto store = SSL_CTX_get_cert_store(context);
  for (int i = 0; i < sk_X509_num(all.get()); ++i) {
    auto one = sk_X509_value(all.get(), i);
    if (X509_check_ca(one) == 0)
      return file.wrong("has a certificate that is no CA's: "
                        + subject_of(X509_get_subject_name(one)));
    if (X509_STORE_add_cert(store, one) != 1)
      return file.wrong("can't be used: " + connection_problem());
  }
  // Also a CA that another one certified is believed for itself.
  X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
  return {};
}

io::result<void> use(SSL_CTX* context, const pem_file& file, const certificate_stack& chain,
                     const pem_file& key_file, EVP_PKEY* key) {
  auto leaf = sk_X509_value(chain.get(), 0);
  ERR_clear_error();
  if (SSL_CTX_use_certificate(context, leaf) != 1)
    return file.wrong("can't be used: " + connection_problem());
  for (int i = 1; i < sk_X509_num(chain.get()); ++i)
    if (SSL_CTX_add1_chain_cert(context, sk_X509_value(chain.get(), i)) != 1)
      return file.wrong("can't be used: " + connection_problem());
  if (X509_check_private_key(leaf, key) != 1)
    return key_file.wrong("is not the key of the certificate \"" + file.path + "\"");
  if (SSL_CTX_use_PrivateKey(context, key) != 1)
    return key_file.wrong("can't be used: " + connection_problem());
  return {};
}

bool has(const certificate_stack& all, const X509* wanted) {
  for (int i = 0; i < sk_X509_num(all.get()); ++i)
    if (wanted != nullptr && X509_cmp(sk_X509_value(all.get(), i), wanted) == 0)
      return true;
  return false;
}

// As the other side will, so that what is wrong is said here and not in each handshake.
io::result<void> check_chain(SSL_CTX* context, const pem_file& file, const certificate_stack& chain,
                             const pem_file& ca_file, const certificate_stack& believed) {
  auto leaf = sk_X509_value(chain.get(), 0);
  openssl_ptr<X509_STORE_CTX> check{X509_STORE_CTX_new()};
  if (!check
      || X509_STORE_CTX_init(check.get(), SSL_CTX_get_cert_store(context), leaf, chain.get()) != 1)
    return io::failure{ENOMEM, "OpenSSL has no memory"};
  if (X509_verify_cert(check.get()) == 1)
    return {};
  auto code = X509_STORE_CTX_get_error(check.get());
  auto at = X509_STORE_CTX_get_current_cert(check.get());
  auto trusted = has(believed, at);
  ERR_clear_error();
  if (code == X509_V_ERR_CERT_HAS_EXPIRED || code == X509_V_ERR_CERT_NOT_YET_VALID)
    return (trusted ? ca_file : file).wrong(certificate_problem(code, at));
  return file.wrong("is not of the CA in \"" + ca_file.path
                    + "\": " + X509_verify_cert_error_string(code));
}

io::result<void> check_use(const pem_file& file, X509* leaf) {
  if (X509_check_purpose(leaf, X509_PURPOSE_SSL_SERVER, 0) == 1
      || X509_check_purpose(leaf, X509_PURPOSE_SSL_CLIENT, 0) == 1)
    return {};
  return file.wrong("is for neither servers nor clients, by its extended key usage");
}

// TLS 1.3 has no renegotiation and no compression; its resumption by tickets and its early data are
// left off, so that each connection is checked whole.
bool set_rules(SSL_CTX* context) {
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  // Else a peer could keep one read busy with records that carry no data.
  SSL_CTX_clear_mode(context, SSL_MODE_AUTO_RETRY);
  SSL_CTX_set_security_level(context, 2);
  SSL_CTX_set_max_cert_list(context, max_peer_certificate_bytes);
  SSL_CTX_set_verify_depth(context, max_chain);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  return SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) == 1
         && SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) == 1
         && SSL_CTX_set_num_tickets(context, 0) == 1 && SSL_CTX_set_max_early_data(context, 0) == 1;
}

} // namespace

io::result<std::shared_ptr<const tls_identity>> load_tls_identity(const tls_files& files) {
  pem_file certificate{"certificate", files.certificate};
  pem_file key{"private key", files.key};
  pem_file ca{"CA's certificate", files.ca};
  auto chain = read_certificates(certificate);
  if (!chain)
    return chain.why();
  auto secret = read_key(key);
  if (!secret)
    return secret.why();
  auto believed = read_certificates(ca);
  if (!believed)
    return believed.why();
  openssl_ptr<SSL_CTX> context{SSL_CTX_new(TLS_method())};
  if (!context || !set_rules(context.get()))
    return io::failure{ENOMEM, "OpenSSL gives no TLS 1.3"};
  if (auto done = believe(context.get(), ca, *believed); !done)
    return done.why();
  if (auto done = use(context.get(), certificate, *chain, key, secret->get()); !done)
    return done.why();
  if (auto done = check_chain(context.get(), certificate, *chain, ca, *believed); !done)
    return done.why();
  auto leaf = sk_X509_value(chain->get(), 0);
  if (auto done = check_use(certificate, leaf); !done)
    return done.why();
  auto subject = subject_of(X509_get_subject_name(leaf));
  return std::shared_ptr<const tls_identity>{
    std::make_shared<tls_identity>(std::move(context), std::move(subject))};
}

} // namespace crosvisor::transport
