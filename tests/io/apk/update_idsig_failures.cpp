// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/apk/idsig.hpp"
#include "crosvisor/io/apk/update_idsig.hpp"
#include "crosvisor/tests/io/apk/judges.hpp"
#include "crosvisor/tests/io/apk/made_apk.hpp"
#include "crosvisor/tests/io/leftovers.hpp"

#include <caf/test/dsl.hpp>

#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>

#undef CAF_SUITE
#define CAF_SUITE io.apk.update_idsig_failures

using namespace crosvisor;
using namespace crosvisor::io;
using namespace crosvisor::tests;

namespace {

/// No file of this process gets longer, while it lives; writing fails, and nothing else comes of
/// it.
class file_size_limit {
public:
  explicit file_size_limit(rlim_t bytes) : handler_(::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    auto now = before_;
    now.rlim_cur = bytes;
    ::setrlimit(RLIMIT_FSIZE, &now);
  }
  file_size_limit(const file_size_limit&) = delete;
  file_size_limit& operator=(const file_size_limit&) = delete;
  ~file_size_limit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    ::signal(SIGXFSZ, handler_);
  }

private:
  rlimit before_;
  sighandler_t handler_;
};

struct fixture {
  temp_dir folder;
  std::string signed_apk = folder.write(
    "app.apk", made_apk(signing_block(part(v3_scheme, scheme_block())), std::string(9000, 'c')));
  std::string old_idsig = folder.write("app.idsig", "what was there");

  unique_fd apk() { return open_file(signed_apk); }
  unique_fd idsig() { return open_file(old_idsig, O_RDWR); }

  failure fail(int from, int to, bool allow_unsigned = false) {
    holdings before;
    auto done = update_idsig(from, to, {allow_unsigned}, job_control{});
    CAF_CHECK_EQUAL(to_string(holdings{}), to_string(before));
    CAF_REQUIRE(!done);
    return done.why();
  }

  /// Of a file that is at fault; the idsig must be empty then.
  std::string why(const std::string& content) {
    folder.write("app.idsig", "what was there");
    auto failed = fail(open_file(folder.write("other.apk", content)).get(), idsig().get());
    CAF_CHECK_EQUAL(failed.code, 0);
    CAF_CHECK_EQUAL(read_file(old_idsig), "");
    return failed.what;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(update_idsig_failure_tests, fixture)

CAF_TEST(an APK that is not signed leaves an empty idsig) {
  CAF_CHECK_EQUAL(why(""), "APK is not signed by APK signature scheme v3, since it is no ZIP file, "
                           "or not a whole one; only allow_unsigned takes it so");
  CAF_CHECK(has(why(made_apk("")), "since it has no APK Signing Block before its ZIP directory"));
  CAF_CHECK(has(why(made_apk(signing_block(part(v2_scheme, "v2")))), "scheme v2 and not by v3"));
}

CAF_TEST(a broken signature is refused though unsigned ones are allowed) {
  auto broken = folder.write("app.apk", made_apk(signing_block(part(v3_scheme, "broken"))));
  auto failed = fail(open_file(broken).get(), idsig().get(), true);
  CAF_CHECK_EQUAL(failed.code, 0);
  CAF_CHECK(has(failed.what, "APK has a broken signature: the signers of scheme v3"));
  CAF_CHECK_EQUAL(read_file(old_idsig), "");
}

CAF_TEST(only regular files are digested) {
  ::mkfifo((folder / "fifo").c_str(), 0600);
  for (const auto& path : {folder.path(), folder / "fifo", std::string{"/dev/zero"}}) {
    auto failed = fail(open_file(path, O_RDONLY | O_NONBLOCK).get(), idsig().get());
    CAF_CHECK_EQUAL(failed.code, 0);
    CAF_CHECK_EQUAL(failed.what, "APK is not a regular file");
  }
  CAF_CHECK_EQUAL(read_file(old_idsig), "");
}

CAF_TEST(only regular files are written) {
  ::mkfifo((folder / "fifo").c_str(), 0600);
  for (const auto& path : {folder / "fifo", std::string{"/dev/full"}, std::string{"/dev/null"}})
    CAF_CHECK_EQUAL(fail(apk().get(), open_file(path, O_RDWR).get()).what,
                    "idsig is not a regular file");
  CAF_CHECK_EQUAL(fail(apk().get(), open_file(folder.path()).get()).what,
                  "idsig is not a regular file");
}

CAF_TEST(the descriptors must be open for what is done with them) {
  const std::string need = "idsig is not open for reading and writing";
  for (auto flags : {O_RDONLY, O_WRONLY, O_PATH})
    CAF_CHECK_EQUAL(fail(apk().get(), open_file(old_idsig, flags).get()).what, need);
  CAF_CHECK(has(fail(apk().get(), open_file(old_idsig, O_RDWR | O_APPEND).get()).what,
                "open for appending"));
  CAF_CHECK_EQUAL(read_file(old_idsig), "what was there");
  for (auto flags : {O_WRONLY, O_PATH})
    CAF_CHECK_EQUAL(fail(open_file(signed_apk, flags).get(), idsig().get()).what,
                    "APK is not open for reading");
  CAF_CHECK_EQUAL(fail(-1, idsig().get()).code, EBADF);
  CAF_CHECK_EQUAL(fail(apk().get(), -1).code, EBADF);
}

CAF_TEST(an APK is never written to) {
  auto before = read_file(signed_apk);
  CAF_CHECK_EQUAL(fail(apk().get(), open_file(signed_apk, O_RDWR).get()).what,
                  "idsig and APK are the same file");
  std::filesystem::create_hard_link(signed_apk, folder / "link");
  CAF_CHECK_EQUAL(fail(apk().get(), open_file(folder / "link", O_RDWR).get()).what,
                  "idsig and APK are the same file");
  CAF_CHECK(read_file(signed_apk) == before);
}

CAF_TEST(a disk without room leaves an empty idsig) {
  for (rlim_t room : {0u, 50u, 117u, 4000u}) {
    folder.write("app.idsig", "what was there");
    auto from = apk(), to = idsig();
    failure failed;
    {
      file_size_limit limit{room};
      failed = fail(from.get(), to.get());
    }
    CAF_CHECK_EQUAL(failed.code, EFBIG);
    CAF_CHECK_EQUAL(failed.what, "idsig can't be written: File too large");
    CAF_CHECK_EQUAL(read_file(old_idsig), "");
  }
}

CAF_TEST(a cancelled job leaves an empty idsig) {
  job_control control;
  control.cancel();
  auto done = update_idsig(apk().get(), idsig().get(), {}, control);
  CAF_REQUIRE(!done);
  CAF_CHECK_EQUAL(done.why().code, ECANCELED);
  CAF_CHECK_EQUAL(done.why().what, "the job was cancelled");
  CAF_CHECK_EQUAL(read_file(old_idsig), "");
}

CAF_TEST(a job that is cancelled when all is hashed writes nothing) {
  job_control* self = nullptr;
  job_control control{[&](std::uint64_t done, std::uint64_t total) {
    if (done == total)
      self->cancel();
  }};
  self = &control;
  auto done = update_idsig(apk().get(), idsig().get(), {}, control);
  CAF_REQUIRE(!done);
  CAF_CHECK_EQUAL(done.why().code, ECANCELED);
  CAF_CHECK_EQUAL(read_file(old_idsig), "");
}

CAF_TEST(an APK that changes its size meanwhile is refused) {
  for (auto size : {8000, 10'000}) {
    auto path = folder.write("other.apk", std::string(9000, 'a'));
    job_control control{[&](std::uint64_t, std::uint64_t) {
      std::filesystem::resize_file(path, static_cast<std::uintmax_t>(size));
    }};
    auto done = update_idsig(open_file(path).get(), idsig().get(), {true}, control);
    CAF_REQUIRE(!done);
    CAF_CHECK_EQUAL(done.why().code, 0);
    CAF_CHECK(has(done.why().what, "APK has changed its size of 9000 bytes"));
    CAF_CHECK_EQUAL(read_file(old_idsig), "");
  }
}

CAF_TEST(an APK larger than a ZIP file can be is refused) {
  auto path = folder.write("big.apk", "");
  std::filesystem::resize_file(path, (std::uint64_t{1} << 32) + 1);
  auto failed = fail(open_file(path).get(), idsig().get(), true);
  CAF_CHECK_EQUAL(failed.code, 0);
  CAF_CHECK_EQUAL(failed.what, "APK has 4294967297 bytes; at most 4294967296 are allowed");
  CAF_CHECK_EQUAL(read_file(old_idsig), "");
}

CAF_TEST_FIXTURE_SCOPE_END()
