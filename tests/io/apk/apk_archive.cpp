// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/apk/apk_archive.hpp"

#include "crosvisor/io/unique_fd.hpp"
#include "crosvisor/tests/io/apk/zip_file.hpp"
#include "crosvisor/tests/io/leftovers.hpp"
#include "crosvisor/tests/io/temp_dir.hpp"

#include <caf/test/dsl.hpp>

#include <fcntl.h>

#include <cerrno>

#undef CAF_SUITE
#define CAF_SUITE io.apk.apk_archive

using namespace crosvisor::io;
using namespace crosvisor::tests;

namespace {

constexpr std::size_t mib = 1u << 20;

struct fixture {
  temp_dir dir;
  unique_fd fd;

  int open(const std::string& bytes) {
    fd.reset(::open(dir.write("a.apk", bytes).c_str(), O_RDONLY | O_CLOEXEC));
    return fd.get();
  }

  // What reading `name` of these bytes gives, or the problem.
  std::string read(const std::string& bytes, const std::string& name, std::size_t most = mib) {
    auto archive = apk_archive::open(open(bytes));
    if (!archive)
      return "archive: " + archive.why().what;
    auto content = archive->read(name, most);
    if (!content)
      CAF_CHECK_EQUAL(content.why().code, 0);
    return content ? *content : content.why().what;
  }
};

std::string with_config(const std::string& content, bool stored = false) {
  return zip_bytes({{"AndroidManifest.xml", "binary", stored},
                    {"assets/vm_config.json", content, stored},
                    {"lib/x86_64/payload.so", "ELF", stored}});
}

// 100 MB of blanks, deflated to 0.4.
const std::string& bomb() {
  static const auto bytes = with_config(std::string(104'857'600, ' '));
  return bytes;
}

// An end record with these numbers, for archives that lie.
std::string end_record(std::uint16_t entries, std::uint32_t size, std::uint32_t offset) {
  std::string end{"PK\5\6\0\0\0\0", 8};
  for (int i = 0; i < 2; ++i)
    end += {static_cast<char>(entries & 0xff), static_cast<char>(entries >> 8)};
  return end + little_endian_32(size) + little_endian_32(offset) + std::string(2, '\0');
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(apk_archive_tests, fixture)

CAF_TEST(an entry is read by its exact name whether stored or deflated) {
  std::string large(300'000, 'x');
  CAF_CHECK_EQUAL(read(with_config("{}", true), "assets/vm_config.json"), "{}");
  CAF_CHECK_EQUAL(read(with_config("{}", false), "assets/vm_config.json"), "{}");
  CAF_CHECK(read(with_config(large), "assets/vm_config.json") == large);
  CAF_CHECK_EQUAL(read(with_config("{}"), "AndroidManifest.xml"), "binary");
  CAF_CHECK_EQUAL(read(with_config(""), "assets/vm_config.json"), "");
}

CAF_TEST(names are listed in the order of the directory and within a bound) {
  auto archive = apk_archive::open(open(with_config("{}")));
  CAF_REQUIRE(archive);
  CAF_CHECK_EQUAL(archive->size(), std::size_t{3});
  std::vector<std::string> two{"AndroidManifest.xml", "assets/vm_config.json"};
  CAF_CHECK_EQUAL(archive->names(2), two);
  CAF_CHECK_EQUAL(archive->names(100).size(), std::size_t{3});
}

CAF_TEST(a missing entry is named with the one that was meant) {
  auto apk = with_config("{}");
  CAF_CHECK_EQUAL(read(apk, "assets/vm_confg.json"),
                  "assets/vm_confg.json: no such entry; did you mean \"assets/vm_config.json\"?");
  CAF_CHECK_EQUAL(read(apk, "vm_config.json"),
                  "vm_config.json: no such entry; did you mean \"assets/vm_config.json\"?");
  CAF_CHECK_EQUAL(read(apk, "nothing/like/it"), "nothing/like/it: no such entry");
  CAF_CHECK_EQUAL(read(apk, "ASSETS/vm_config.json").substr(0, 36),
                  "ASSETS/vm_config.json: no such entry");
  CAF_CHECK_EQUAL(read(apk, "./assets/vm_config.json").substr(0, 38),
                  "./assets/vm_config.json: no such entry");
  CAF_CHECK_EQUAL(read(apk, "bad\x1b[2J"), "bad\\x1b[2J: no such entry");
  CAF_CHECK_EQUAL(read(apk, ""), ": no such entry");
}

CAF_TEST(an entry as large as the bound is read and one byte more refused) {
  auto apk = with_config(std::string(1000, 'x'));
  CAF_CHECK_EQUAL(read(apk, "assets/vm_config.json", 1000).size(), std::size_t{1000});
  CAF_CHECK_EQUAL(read(apk, "assets/vm_config.json", 999),
                  "assets/vm_config.json: 1000 bytes; at most 999 are allowed");
}

CAF_TEST(a config entry of 100 MB is refused before it is unpacked) {
  CAF_CHECK_EQUAL(read(bomb(), "assets/vm_config.json"),
                  "assets/vm_config.json: 104857600 bytes; at most 1048576 are allowed");
}

CAF_TEST(a bomb that lies about its size gives no more than it says) {
  constexpr std::uint32_t real = 104'857'600;
  auto lie = patched(bomb(), little_endian_32(real), little_endian_32(500'000));
  CAF_CHECK_EQUAL(read(lie, "assets/vm_config.json"),
                  "assets/vm_config.json: is damaged: it has not the 500000 bytes that the "
                  "directory says");
  lie = patched(bomb(), little_endian_32(real), little_endian_32(100));
  auto problem = read(lie, "assets/vm_config.json");
  CAF_CHECK(problem.ends_with(" bytes compressed, of 100: is damaged"));
}

CAF_TEST(an entry that is shorter than it says is refused) {
  std::string content(5000, 'x');
  auto lie = patched(with_config(content), little_endian_32(5000), little_endian_32(5001));
  CAF_CHECK_EQUAL(read(lie, "assets/vm_config.json").find("assets/vm_config.json: is damaged"), 0u);
}

CAF_TEST(a wrong checksum is found) {
  auto damaged = patched(with_config("{\"a\": 1}", true), "{\"a\": 1}", "{\"a\": 2}");
  CAF_CHECK_EQUAL(read(damaged, "assets/vm_config.json"),
                  "assets/vm_config.json: is damaged: its checksum is wrong");
}

CAF_TEST(an encrypted entry is refused and others of its archive are not ) {
  auto apk = zip_bytes({{"assets/vm_config.json", "{}", false, true}, {"open", "x"}});
  CAF_CHECK_EQUAL(read(apk, "assets/vm_config.json"), "assets/vm_config.json: is encrypted");
  CAF_CHECK_EQUAL(read(apk, "open"), "x");
}

CAF_TEST(two entries of one name are refused) {
  auto apk = zip_bytes({{"assets/a.json", "1"}, {"assets/b.json", "2"}});
  auto twice = patched(apk, "assets/b.json", "assets/a.json");
  CAF_CHECK_EQUAL(read(twice, "assets/a.json"),
                  "assets/a.json: the archive has two entries of this name");
}

CAF_TEST(another compression than those of APKs is refused) {
  auto apk = with_config(std::string(5000, 'x'));
  // Behind the signature, the versions and the flags of each header.
  for (auto [magic, behind] : {std::pair{"PK\3\4", 8u}, {"PK\1\2", 10u}})
    for (auto at = apk.find(magic); at != apk.npos; at = apk.find(magic, at + 1))
      apk[at + behind] = 12;
  CAF_CHECK_EQUAL(read(apk, "assets/vm_config.json"),
                  "assets/vm_config.json: is compressed by method 12; APKs store or deflate");
}

CAF_TEST(an APK that is cut short anywhere is refused) {
  auto apk = with_config("{}");
  for (std::size_t size = 1; size < apk.size(); size += 7)
    CAF_CHECK_EQUAL(read(apk.substr(0, size), "assets/vm_config.json"),
                    "archive: has no ZIP directory at its end: it is cut short, or no APK");
  CAF_CHECK_EQUAL(read("", "x"), "archive: is empty");
  CAF_CHECK_EQUAL(read(std::string(100'000, 'x'), "x"),
                  "archive: has no ZIP directory at its end: it is cut short, or no APK");
}

CAF_TEST(a beginning that is lost is noticed) {
  auto problem = read(with_config("{}").substr(10), "assets/vm_config.json");
  CAF_CHECK_EQUAL(problem.find("archive: is damaged"), 0u);
}

CAF_TEST(a Zip64 archive is refused since it may claim any number of entries) {
  std::string locator{"PK\6\7", 4};
  auto apk = with_config("{}");
  auto end = apk.rfind("PK\5\6");
  auto zip64 = apk.substr(0, end) + locator + std::string(16, '\0') + apk.substr(end);
  CAF_CHECK_EQUAL(read(zip64, "x"), "archive: is a Zip64 archive, which no APK is");
}

CAF_TEST(a directory that is larger than any is not read) {
  // Entries of 46 bytes and no name, which a directory of 64 bits counts modulo 65,536.
  std::string entry{"PK\1\2", 4};
  entry.resize(46);
  std::string apk;
  while (apk.size() < 12 * mib)
    apk += entry;
  auto size = static_cast<std::uint32_t>(apk.size());
  apk += end_record(static_cast<std::uint16_t>(size / 46), size, 0);
  auto problem = read(apk, "x");
  CAF_CHECK_EQUAL(problem.find("archive: "), 0u);
}

CAF_TEST(what is no file or not to be read is refused) {
  auto problem = [](int of) {
    auto archive = apk_archive::open(of);
    return archive ? "" : archive.why().what;
  };
  CAF_CHECK_EQUAL(problem(-1), "came without a descriptor");
  CAF_CHECK_EQUAL(problem(unique_fd{::open("/dev/zero", O_RDONLY)}.get()), "is not a regular file");
  CAF_CHECK_EQUAL(problem(unique_fd{::open("/tmp", O_RDONLY)}.get()), "is not a regular file");
  auto path = dir.write("w.apk", with_config("{}"));
  CAF_CHECK_EQUAL(problem(unique_fd{::open(path.c_str(), O_WRONLY)}.get()),
                  "is not open for reading");
  CAF_CHECK_EQUAL(problem(unique_fd{::open(path.c_str(), O_PATH)}.get()),
                  "is not open for reading");
  unique_fd sparse{::open((dir / "sparse").c_str(), O_RDWR | O_CREAT, 0600)};
  CAF_REQUIRE_EQUAL(::ftruncate(sparse.get(), off_t{1} << 40), 0);
  CAF_CHECK_EQUAL(problem(sparse.get()), "1099511627776 bytes; an APK has at most 4294967295");
}

CAF_TEST(the offset of the descriptor is neither used nor moved and nothing stays open) {
  auto at = open(with_config("{}"));
  auto held = to_string(holdings{});
  CAF_CHECK_EQUAL(::lseek(at, 12345, SEEK_SET), off_t{12345});
  {
    auto archive = apk_archive::open(at);
    CAF_REQUIRE(archive);
    auto content = archive->read("assets/vm_config.json", mib);
    CAF_CHECK(content && *content == "{}");
    CAF_CHECK(!archive->read("missing", mib));
  }
  CAF_CHECK_EQUAL(::lseek(at, 0, SEEK_CUR), off_t{12345});
  CAF_CHECK_EQUAL(to_string(holdings{}), held);
}

CAF_TEST(an archive outlives the descriptor that it was opened from) {
  auto archive = apk_archive::open(open(with_config("{}")));
  CAF_REQUIRE(archive);
  fd.reset();
  auto content = archive->read("assets/vm_config.json", mib);
  CAF_CHECK(content && *content == "{}");
}

CAF_TEST(a file that shrinks while it is read is an error) {
  auto archive = apk_archive::open(open(with_config(std::string(200'000, 'x'), true)));
  CAF_REQUIRE(archive);
  CAF_REQUIRE_EQUAL(::truncate((dir / "a.apk").c_str(), 1000), 0);
  auto content = archive->read("assets/vm_config.json", mib);
  CAF_CHECK(!content);
}

CAF_TEST(a host without descriptors is the one at fault) {
  auto at = open(with_config("{}"));
  descriptor_limit one{1};
  unique_fd last{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
  auto archive = apk_archive::open(at);
  CAF_REQUIRE(!archive);
  CAF_CHECK_EQUAL(archive.why().code, EMFILE);
}

CAF_TEST_FIXTURE_SCOPE_END()
