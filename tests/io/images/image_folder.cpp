// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/images/image_folder.hpp"

#include "crosvisor/tests/io/images/store_fixture.hpp"

#include <sys/stat.h>

#undef CAF_SUITE
#define CAF_SUITE io.images.image_folder

using namespace crosvisor;
using namespace crosvisor::io;
using namespace crosvisor::tests;

namespace {

namespace fs = std::filesystem;

struct fixture : store_fixture {
  std::string folder = dir / "state/images/uid-1000";

  fixture() {
    open();
    CAF_REQUIRE_EQUAL(words(push(alice, "a", "the image")), "done");
    CAF_REQUIRE(begin(alice, "b", "an upload"));
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(image_folder_tests, fixture)

CAF_TEST(a folder is called by whose it is) {
  CAF_CHECK_EQUAL(folder_name_of("uid 1000"), "uid-1000");
  CAF_CHECK_EQUAL(folder_name_of("subject \"CN=../../etc\""),
                  "subject-" + sum_of("subject \"CN=../../etc\""));
  CAF_CHECK_EQUAL(names_in(folder), ".owner .part-b a");
}

CAF_TEST(nobody else can read what is stored) {
  for (const auto* path : {"state/images", "state/images/uid-1000", "state/images/uid-1000/a"}) {
    struct stat is;
    CAF_REQUIRE_EQUAL(::stat((dir / path).c_str(), &is), 0);
    CAF_CHECK_EQUAL(is.st_mode & 07777, 0700u);
  }
  struct stat is;
  CAF_REQUIRE_EQUAL(::stat((folder + "/a/data").c_str(), &is), 0);
  CAF_CHECK_EQUAL(is.st_mode & 07777, 0600u);
}

CAF_TEST(no symlink is followed) {
  auto secret = dir.write("secret", "the secret");
  fs::remove(folder + "/a/data");
  fs::create_symlink(secret, folder + "/a/data");
  CAF_CHECK_EQUAL(pull(alice, "a").substr(0, 7), "failed:");
  CAF_CHECK(!open_images(alice, {{"a", true}}));
  fs::remove(folder + "/.part-b/data");
  fs::create_symlink(secret, folder + "/.part-b/data");
  open();
  CAF_CHECK_EQUAL(names(&alice), "");
  auto place = begin(alice, "b", "an upload");
  CAF_REQUIRE(place);
  CAF_CHECK_EQUAL(offset_of(place), 0u);
  CAF_CHECK_EQUAL(words(go_on(alice, *place, "an upload")), "done");
  CAF_CHECK_EQUAL(read_file(secret), "the secret");
}

CAF_TEST(a folder that is a symlink is nobody s) {
  fs::rename(folder, dir / "moved");
  fs::create_symlink(dir / "moved", folder);
  open();
  CAF_CHECK_EQUAL(names(&alice), "");
  CAF_CHECK(!begin(alice, "c", "x"));
  CAF_CHECK(fs::exists(dir / "moved/a/data"));
}

CAF_TEST(what is no image is left alone and not listed) {
  dir.write("state/images/uid-1000/strange", "a file");
  fs::create_directory(folder + "/empty");
  fs::create_directory(folder + "/torn");
  dir.write("state/images/uid-1000/torn/data", "x");
  dir.write("state/images/uid-1000/torn/record", "[\"torn\", 1, \"");
  fs::create_directory(dir / "state/images/uid-1001");
  dir.write("state/images/uid-1001/.owner", "uid 1000\n");
  open();
  CAF_CHECK_EQUAL(names(nullptr), "a");
  CAF_CHECK_EQUAL(names_in(folder), ".owner .part-b a empty strange torn");
}

CAF_TEST(an image of another size than was stored is not listed) {
  fs::resize_file(folder + "/a/data", 3);
  open();
  CAF_CHECK_EQUAL(names(&alice), "");
  CAF_CHECK_EQUAL(words(read(alice, "a", 0)), "ENOENT: no image \"a\"");
}

CAF_TEST(what was being removed is removed) {
  fs::rename(folder + "/a", folder + "/.gone-1");
  fs::remove(folder + "/.part-b/record");
  open();
  CAF_CHECK_EQUAL(names_in(folder), ".owner");
  CAF_CHECK_EQUAL(used("stored_images"), 0u);
}

CAF_TEST_FIXTURE_SCOPE_END()
