// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/tests/service/transport/test_certificates.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <stdexcept>
#include <utility>

namespace crosvisor::tests {

namespace {

using transport::openssl_ptr;

void need(bool done, const char* what) {
  if (!done)
    throw std::runtime_error{std::string{"test certificates: "} + what};
}

openssl_ptr<EVP_PKEY> make_key() {
  openssl_ptr<EVP_PKEY> key{EVP_EC_gen("P-256")};
  need(key != nullptr, "EVP_EC_gen");
  return key;
}

void add(X509* to, X509* issuer, int extension, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, to, nullptr, nullptr, 0);
  auto made = X509V3_EXT_nconf_nid(nullptr, &context, extension, value.c_str());
  need(made != nullptr && X509_add_ext(to, made, -1) == 1, value.c_str());
  X509_EXTENSION_free(made);
}

void add_name(X509_NAME* name, const char* field, const std::string& value) {
  auto bytes = reinterpret_cast<const unsigned char*>(value.data());
  if (!value.empty())
    need(X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, bytes,
                                    static_cast<int>(value.size()), -1, 0)
           == 1,
         field);
}

std::string alternative_names(const std::vector<std::string>& hosts) {
  std::string all;
  for (auto& host : hosts) {
    in6_addr ignored;
    auto address = ::inet_pton(AF_INET, host.c_str(), &ignored) == 1
                   || ::inet_pton(AF_INET6, host.c_str(), &ignored) == 1;
    all += (all.empty() ? "" : ",") + std::string{address ? "IP:" : "DNS:"} + host;
  }
  return all;
}

openssl_ptr<X509> begin(const certificate_wish& wish, EVP_PKEY* key, const X509* issuer) {
  openssl_ptr<X509> made{X509_new()};
  std::uint64_t serial = 0;
  need(made != nullptr && RAND_bytes(reinterpret_cast<unsigned char*>(&serial), 7) == 1,
       "X509_new");
  need(X509_set_version(made.get(), X509_VERSION_3) == 1, "version");
  need(ASN1_INTEGER_set_uint64(X509_get_serialNumber(made.get()), serial | 1) == 1, "serial");
  auto begins = static_cast<long>(wish.begins.count());
  auto ends = static_cast<long>(wish.ends.count());
  need(X509_gmtime_adj(X509_getm_notBefore(made.get()), begins) != nullptr, "not before");
  need(X509_gmtime_adj(X509_getm_notAfter(made.get()), ends) != nullptr, "not after");
  auto name = X509_get_subject_name(made.get());
  add_name(name, "O", wish.organization);
  add_name(name, "CN", wish.common_name);
  need(X509_set_issuer_name(made.get(), X509_get_subject_name(issuer ? issuer : made.get())) == 1,
       "issuer");
  need(X509_set_pubkey(made.get(), key) == 1, "public key");
  return made;
}

openssl_ptr<X509> make_ca(const certificate_wish& wish, EVP_PKEY* key, X509* issuer,
                          EVP_PKEY* issuer_key) {
  auto made = begin(wish, key, issuer);
  auto by = issuer != nullptr ? issuer : made.get();
  add(made.get(), by, NID_basic_constraints, "critical,CA:TRUE");
  add(made.get(), by, NID_key_usage, "critical,keyCertSign,cRLSign");
  add(made.get(), by, NID_subject_key_identifier, "hash");
  add(made.get(), by, NID_authority_key_identifier, "keyid:always");
  need(X509_sign(made.get(), issuer_key, EVP_sha256()) > 0, "X509_sign");
  return made;
}

class output {
public:
  output(const std::string& path, unsigned mode)
      : file_(::fdopen(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode), "w")) {
    need(file_ != nullptr, path.c_str());
  }
  output(const output&) = delete;
  output& operator=(const output&) = delete;
  ~output() { std::fclose(file_); }
  operator std::FILE*() const noexcept { return file_; }

private:
  std::FILE* file_;
};

} // namespace

test_authority::test_authority(std::string directory, const std::string& name,
                               std::chrono::seconds begins, std::chrono::seconds ends)
    : directory_(std::move(directory)), path_(directory_ + "/" + name + ".pem"), key_(make_key()) {
  certificate_wish wish{.common_name = "Test CA " + name, .begins = begins, .ends = ends};
  certificate_ = make_ca(wish, key_.get(), nullptr, key_.get());
  need(PEM_write_X509(output{path_, 0644}, certificate_.get()) == 1, "PEM_write_X509");
}

test_authority::test_authority(const test_authority& parent, const std::string& name)
    : directory_(parent.directory_), path_(parent.path_), key_(make_key()), is_root_(false) {
  certificate_wish wish{.common_name = "Test CA " + name};
  certificate_ = make_ca(wish, key_.get(), parent.certificate_.get(), parent.key_.get());
  need(PEM_write_X509(output{directory_ + "/" + name + ".pem", 0644}, certificate_.get()) == 1,
       "PEM_write_X509");
}

transport::tls_files test_authority::issue(const std::string& name,
                                           const certificate_wish& wish) const {
  auto key = make_key();
  auto made = begin(wish, key.get(), certificate_.get());
  add(made.get(), certificate_.get(), NID_basic_constraints, "critical,CA:FALSE");
  add(made.get(), certificate_.get(), NID_key_usage, "critical,digitalSignature");
  add(made.get(), certificate_.get(), NID_authority_key_identifier, "keyid:always");
  if (!wish.usage.empty())
    add(made.get(), certificate_.get(), NID_ext_key_usage, wish.usage);
  if (!wish.hosts.empty())
    add(made.get(), certificate_.get(), NID_subject_alt_name, alternative_names(wish.hosts));
  need(X509_sign(made.get(), key_.get(), EVP_sha256()) > 0, "X509_sign");
  transport::tls_files files{directory_ + "/" + name + ".pem", directory_ + "/" + name + ".key",
                             path_};
  output certificate{files.certificate, 0644};
  need(PEM_write_X509(certificate, made.get()) == 1
         && (is_root_ || PEM_write_X509(certificate, certificate_.get()) == 1),
       "PEM_write_X509");
  need(
    PEM_write_PrivateKey(output{files.key, 0600}, key.get(), nullptr, nullptr, 0, nullptr, nullptr)
      == 1,
    "PEM_write_PrivateKey");
  return files;
}

void write_test_certificates(const std::string& directory, const std::vector<std::string>& names) {
  test_authority ca{directory, "ca"};
  std::vector<std::string> hosts{"localhost", "127.0.0.1", "::1"};
  hosts.insert(hosts.end(), names.begin(), names.end());
  ca.issue("server", {.common_name = "server", .hosts = hosts, .usage = "serverAuth"});
  ca.issue("client", {.common_name = "client", .usage = "clientAuth"});
  ca.issue("other", {.common_name = "other", .usage = "clientAuth"});
  test_authority foreign{directory, "foreign-ca"};
  foreign.issue("foreign", {.common_name = "client", .usage = "clientAuth"});
}

} // namespace crosvisor::tests
