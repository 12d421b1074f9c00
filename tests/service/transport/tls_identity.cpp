// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/transport/tls_identity.hpp"

#include "crosvisor/service/transport/tls_context.hpp"
#include "crosvisor/tests/io/temp_dir.hpp"
#include "crosvisor/tests/service/transport/test_certificates.hpp"

#include <caf/test/dsl.hpp>

#include <openssl/pem.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <string>

#undef CAF_SUITE
#define CAF_SUITE service.transport.tls_identity

using namespace crosvisor;
using namespace std::chrono_literals;
using transport::load_tls_identity;
using transport::tls_files;

namespace {

struct fixture {
  /// What is wrong with the files; empty: nothing.
  static std::string problem(const tls_files& files) {
    auto loaded = load_tls_identity(files);
    return loaded ? "" : loaded.why().what;
  }

  static int code(const tls_files& files) {
    auto loaded = load_tls_identity(files);
    return loaded ? -1 : loaded.why().code;
  }

  static bool has(const std::string& text, const std::string& part) {
    if (text.find(part) != std::string::npos)
      return true;
    CAF_MESSAGE("no \"" << part << "\" in: " << text);
    return false;
  }

  tests::temp_dir dir;
  tests::test_authority ca{dir.path(), "ca"};
  tls_files good = ca.issue("good", {.common_name = "good", .hosts = {"localhost"}});
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(tls_identity_tests, fixture)

CAF_TEST(three files that fit are an identity) {
  auto loaded = load_tls_identity(good);
  CAF_REQUIRE(loaded);
  CAF_CHECK_EQUAL((*loaded)->subject(), "CN=good");
}

CAF_TEST(a certificate may come with what is between it and the ca) {
  tests::test_authority middle{ca, "middle"};
  tests::test_authority lower{middle, "lower"};
  auto files = lower.issue("deep", {.common_name = "deep"});
  // The CA that issued it is not between it and the root: it is not enough.
  CAF_CHECK(has(problem(files), "is not of the CA in \"" + ca.path()));
  auto chain = tests::read_file(files.certificate) + tests::read_file(dir / "middle.pem");
  files.certificate = dir.write("chain.pem", chain);
  CAF_CHECK_EQUAL(problem(files), "");
}

CAF_TEST(a ca that another one certified is believed for itself) {
  tests::test_authority middle{ca, "middle"};
  auto files = middle.issue("deep", {.common_name = "deep"});
  files.ca = dir / "middle.pem";
  CAF_CHECK_EQUAL(problem(files), "");
  good.ca = files.ca;
  CAF_CHECK(has(problem(good), "is not of the CA"));
}

CAF_TEST(each file is required) {
  for (auto member : {&tls_files::certificate, &tls_files::key, &tls_files::ca}) {
    auto files = good;
    files.*member = "";
    CAF_CHECK(has(problem(files), ": no file is given"));
    files.*member = dir / "missing.pem";
    CAF_CHECK(has(problem(files), "\"" + files.*member + "\": No such file"));
    CAF_CHECK_EQUAL(code(files), ENOENT);
  }
  CAF_CHECK(has(problem({}), "certificate: no file is given"));
}

CAF_TEST(what is no file is refused and not waited for) {
  auto fifo = dir / "fifo";
  CAF_REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  for (auto member : {&tls_files::certificate, &tls_files::key, &tls_files::ca})
    for (auto& path : {fifo, dir.path(), std::string{"/dev/zero"}}) {
      auto files = good;
      files.*member = path;
      CAF_CHECK(has(problem(files), "\"" + path + "\" is no regular file"));
    }
}

CAF_TEST(a file that is not pem is refused) {
  for (auto member : {&tls_files::certificate, &tls_files::key, &tls_files::ca})
    for (auto& text : {std::string{}, std::string{"hello"}, std::string(100000, '\0')}) {
      auto files = good;
      files.*member = dir.write("text", text, 0600);
      CAF_CHECK(has(problem(files), "\"" + files.*member + "\" has no "));
    }
}

CAF_TEST(a file that is too large is refused) {
  for (auto member : {&tls_files::certificate, &tls_files::key, &tls_files::ca}) {
    auto files = good;
    files.*member = dir.write("large", std::string((1u << 20) + 1, ' '), 0600);
    CAF_CHECK(has(problem(files), "has more than 1 MiB"));
  }
}

CAF_TEST(a certificate that was cut or changed is refused) {
  auto text = tests::read_file(good.certificate);
  auto files = good;
  for (auto size : {text.size() / 2, text.size() - 30}) {
    files.certificate = dir.write("cut.pem", text.substr(0, size));
    CAF_CHECK(has(problem(files), "\"" + files.certificate + "\" has a broken certificate"));
  }
  // A good one and then a broken one.
  files.certificate = dir.write("half.pem", text + text.substr(0, text.size() / 2));
  CAF_CHECK(has(problem(files), "has a broken certificate"));
  auto changed = text;
  changed[text.size() - 60] = changed[text.size() - 60] == 'A' ? 'B' : 'A';
  files.certificate = dir.write("changed.pem", changed);
  CAF_CHECK(!problem(files).empty());
}

CAF_TEST(too many certificates are refused) {
  std::string many;
  for (int i = 0; i < 17; ++i)
    many += tests::read_file(ca.path());
  good.ca = dir.write("many.pem", many);
  CAF_CHECK(has(problem(good), "has more than 16 certificates"));
}

CAF_TEST(a key of another certificate is refused) {
  auto other = ca.issue("other", {.common_name = "other"});
  good.key = other.key;
  CAF_CHECK(has(problem(good), "private key \"" + other.key
                                 + "\" is not the key of the certificate \"" + good.certificate));
}

CAF_TEST(a key that others can read is refused) {
  for (auto mode : {0640, 0604, 0660, 0610, 0602}) {
    CAF_REQUIRE(::chmod(good.key.c_str(), static_cast<mode_t>(mode)) == 0);
    CAF_CHECK(has(problem(good), "\"" + good.key + "\" is open to others than its owner"));
  }
  CAF_REQUIRE(::chmod(good.key.c_str(), 0400) == 0);
  CAF_CHECK_EQUAL(problem(good), "");
}

CAF_TEST(a key of another user is refused) {
  if (::geteuid() != 0) {
    CAF_MESSAGE("skipped: only root can give a file away");
    CAF_CHECK(true);
    return;
  }
  CAF_REQUIRE(::chown(good.key.c_str(), 12345, 12345) == 0);
  CAF_CHECK(has(problem(good), "belongs to uid 12345"));
}

CAF_TEST(an encrypted key is refused and nobody is asked for its passphrase) {
  transport::openssl_ptr<EVP_PKEY> key{EVP_EC_gen("P-256")};
  transport::openssl_ptr<BIO> text{BIO_new(BIO_s_mem())};
  auto word = reinterpret_cast<const unsigned char*>("secret");
  CAF_REQUIRE(
    PEM_write_bio_PrivateKey(text.get(), key.get(), EVP_aes_128_cbc(), word, 6, nullptr, nullptr)
    == 1);
  std::string pem(4096, '\0');
  pem.resize(static_cast<std::size_t>(BIO_read(text.get(), pem.data(), 4096)));
  good.key = dir.write("encrypted.key", pem, 0600);
  CAF_CHECK(has(problem(good), "is encrypted"));
}

CAF_TEST(a certificate of another ca is refused) {
  tests::test_authority foreign{dir.path(), "foreign"};
  good.ca = foreign.path();
  CAF_CHECK(has(problem(good), "certificate \"" + good.certificate + "\" is not of the CA in \""
                                 + foreign.path()));
  CAF_CHECK_EQUAL(code(good), 0);
}

CAF_TEST(a ca that only has the name of ours is refused) {
  tests::temp_dir elsewhere;
  tests::test_authority twin{elsewhere.path(), "ca"};
  good.ca = twin.path();
  CAF_CHECK(has(problem(good), "is not of the CA in"));
}

CAF_TEST(a certificate of a host is no ca) {
  good.ca = good.certificate;
  CAF_CHECK(has(problem(good), "has a certificate that is no CA's: CN=good"));
}

CAF_TEST(a certificate outside its time is refused) {
  auto old = ca.issue("old", {.common_name = "old", .begins = -48h, .ends = -1h});
  CAF_CHECK(has(problem(old), "certificate \"" + old.certificate + "\" expired on 20"));
  auto early = ca.issue("early", {.common_name = "early", .begins = 1h, .ends = 2h});
  CAF_CHECK(
    has(problem(early), "certificate \"" + early.certificate + "\" is not valid before 20"));
}

CAF_TEST(an expired ca is named as such) {
  tests::test_authority past{dir.path(), "past", -48h, -1h};
  auto files = past.issue("late", {.common_name = "late"});
  CAF_CHECK(has(problem(files), "CA's certificate \"" + past.path() + "\" expired on"));
}

CAF_TEST(a certificate for another use is refused) {
  auto mail = ca.issue("mail", {.common_name = "mail", .usage = "emailProtection"});
  CAF_CHECK(has(problem(mail), "is for neither servers nor clients"));
  for (auto usage : {"serverAuth", "clientAuth", ""}) {
    auto files = ca.issue("use", {.common_name = "use", .usage = usage});
    CAF_CHECK_EQUAL(problem(files), "");
  }
}

CAF_TEST_FIXTURE_SCOPE_END()
