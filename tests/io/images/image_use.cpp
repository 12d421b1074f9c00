// SPDX-License-Identifier: Apache-2.0
// Images that VMs have, and those that are made in the store.
#include "crosvisor/io/file_bytes.hpp"
#include "crosvisor/tests/io/images/store_fixture.hpp"

#undef CAF_SUITE
#define CAF_SUITE io.images.image_use

using namespace crosvisor;
using namespace crosvisor::io;
using namespace crosvisor::tests;

namespace {

struct fixture : store_fixture {
  fixture() {
    open();
    CAF_REQUIRE_EQUAL(words(push(alice, "a", "image a")), "done");
    CAF_REQUIRE_EQUAL(words(push(alice, "b", "image b")), "done");
  }

  static std::string bytes_in(const unique_fd& fd) {
    auto bytes = read_at(fd.get(), 0, 100);
    return bytes ? *bytes : bytes.why().what;
  }

  image_info info(const std::string& name) {
    for (auto& one : list(&alice))
      if (one.name == name)
        return one;
    return {};
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(image_use_tests, fixture)

CAF_TEST(many read an image and nobody removes it meanwhile) {
  auto first = open_images(alice, {{"a", false}, {"b", false}, {"a", false}});
  CAF_REQUIRE_EQUAL(words(first), "done");
  CAF_REQUIRE_EQUAL(first->size(), 3u);
  CAF_CHECK_EQUAL(bytes_in((*first)[1]), "image b");
  CAF_CHECK(!write_at((*first)[0].get(), 0, "x"));
  CAF_CHECK_EQUAL(words(open_images(alice, {{"a", false}})), "done");
  CAF_CHECK_EQUAL(pull(alice, "a"), "image a");
  CAF_CHECK(info("a").in_use);
  CAF_CHECK_EQUAL(words(remove(alice, "a")),
                  "EBUSY: image \"a\" is in use by a VM, or is being read");
  CAF_CHECK_EQUAL(words(open_images(alice, {{"a", true}})).substr(0, 5), "EBUSY");
  // A copy of the descriptor is as good.
  unique_fd copy{::fcntl((*first)[0].get(), F_DUPFD_CLOEXEC, 3)};
  first->clear();
  CAF_CHECK(info("a").in_use);
  copy.reset();
  CAF_CHECK(!info("a").in_use);
  CAF_CHECK_EQUAL(words(remove(alice, "a")), "done");
}

CAF_TEST(one writes an image alone and its checksum is forgotten) {
  auto opened = open_images(alice, {{"a", true}});
  CAF_REQUIRE_EQUAL(words(opened), "done");
  CAF_CHECK_EQUAL(info("a").sha256, "");
  CAF_CHECK(info("a").in_use);
  CAF_CHECK_EQUAL(words(read(alice, "a", 0)),
                  "EBUSY: image \"a\" is in use by a VM that writes to it");
  CAF_CHECK_EQUAL(words(open_images(alice, {{"a", false}})).substr(0, 5), "EBUSY");
  CAF_REQUIRE(write_at((*opened)[0].get(), 0, "IMAGE"));
  opened->clear();
  CAF_CHECK_EQUAL(pull(alice, "a"), "IMAGE a");
  open();
  CAF_CHECK_EQUAL(info("a").sha256, "");
  CAF_CHECK_EQUAL(pull(alice, "a"), "IMAGE a");
  CAF_CHECK_EQUAL(words(begin(alice, "a", "image a")).substr(0, 6), "EEXIST");
}

CAF_TEST(a lock outlives the store that gave it) {
  auto opened = open_images(alice, {{"a", true}});
  open();
  CAF_CHECK(info("a").in_use);
  CAF_CHECK_EQUAL(words(remove(alice, "a")).substr(0, 5), "EBUSY");
}

CAF_TEST(all images are opened or none) {
  CAF_CHECK_EQUAL(words(open_images(alice, {{"a", true}, {"none", false}})),
                  "ENOENT: no image \"none\"");
  CAF_CHECK(!info("a").in_use);
  CAF_CHECK_EQUAL(info("a").sha256, sum_of("image a"));
  CAF_CHECK_EQUAL(words(open_images(alice, {{"a", true}, {"a", false}})).substr(0, 5), "EBUSY");
}

CAF_TEST(a change shows in the version) {
  auto before = version_of("a");
  CAF_CHECK_EQUAL(version_of("a", 3), before);
  {
    auto opened = open_images(alice, {{"a", true}});
    CAF_REQUIRE(write_at((*opened)[0].get(), 0, "I"));
  }
  CAF_CHECK_NOT_EQUAL(version_of("a"), before);
}

CAF_TEST(what is made is an image when it is kept) {
  auto made = make(alice, "new", 100);
  CAF_REQUIRE_EQUAL(words(made), "done");
  CAF_REQUIRE(write_at(made->get(), 0, "partition"));
  made->reset();
  CAF_CHECK_EQUAL(names(&alice), "a b");
  CAF_CHECK_EQUAL(words(make(alice, "new", 1)), "EBUSY: image \"new\" is being made or uploaded");
  CAF_CHECK_EQUAL(words(begin(alice, "new", "x")), "EBUSY: image \"new\" is being made");
  CAF_CHECK_EQUAL(words(remove(alice, "new")),
                  "EBUSY: image \"new\" is in use by whoever makes it");
  CAF_CHECK_EQUAL(words(end_making(alice, "new", true)), "done");
  CAF_CHECK_EQUAL(names(&alice), "a b new");
  CAF_CHECK_EQUAL(pull(alice, "new"), "partition");
  CAF_CHECK_EQUAL(info("new").sha256, "");
  CAF_CHECK_EQUAL(info("new").size_bytes, 9u);
  CAF_CHECK_EQUAL(words(make(alice, "a", 1)).substr(0, 6), "EEXIST");
}

CAF_TEST(what is made and not kept is gone) {
  CAF_REQUIRE(make(alice, "new", 100));
  CAF_CHECK_EQUAL(words(end_making(alice, "new", false)), "done");
  CAF_CHECK_EQUAL(words(make(alice, "new", 100)), "done");
  open(); // Whoever made it is gone with the store.
  CAF_CHECK_EQUAL(names(&alice), "a b");
  CAF_CHECK_EQUAL(used("stored_images"), 2u);
  CAF_CHECK_EQUAL(words(end_making(alice, "new", true)), "ENOENT: no image \"new\"");
}

CAF_TEST_FIXTURE_SCOPE_END()
