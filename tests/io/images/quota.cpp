// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/tests/io/images/store_fixture.hpp"

#include <utime.h>

#undef CAF_SUITE
#define CAF_SUITE io.images.quota

using namespace crosvisor;
using namespace crosvisor::io;
using namespace crosvisor::tests;

namespace {

struct fixture : store_fixture {
  fixture() {
    bounds.per_user = 3;
    bounds.in_all = 5;
    bounds.bytes_per_user = 3u << 20;
    bounds.bytes = 4u << 20;
    bounds.uploads_per_user = 2;
    open();
  }

  static std::string mib(unsigned count) { return some_bytes(std::size_t{count} << 20); }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(quota_tests, fixture)

CAF_TEST(a user has so many images) {
  for (const auto* name : {"a", "b", "c"})
    CAF_CHECK_EQUAL(words(push(alice, name, name)), "done");
  CAF_CHECK_EQUAL(words(begin(alice, "d", "d")),
                  "EDQUOT: uid 1000 has 3 images, uploads included, as many as one user may have "
                  "(images.per_user)");
  CAF_CHECK_EQUAL(words(push(bob, "a", "a")), "done");
  CAF_CHECK_EQUAL(words(push(bob, "b", "b")), "done");
  CAF_CHECK_EQUAL(words(begin(bob, "c", "c")),
                  "EDQUOT: there are 5 images, as many as there may be (images.most)");
  CAF_CHECK_EQUAL(words(remove(alice, "a")), "done");
  CAF_CHECK_EQUAL(words(push(bob, "c", "c")), "done");
}

CAF_TEST(a user has so many bytes and an upload counts from its beginning) {
  CAF_CHECK_EQUAL(words(push(alice, "a", mib(1))), "done");
  auto place = begin(alice, "b", mib(2));
  CAF_REQUIRE(place);
  CAF_CHECK_EQUAL(
    words(begin(alice, "c", "x")),
    "EDQUOT: uid 1000 has 3 MiB of images, and with 1 MiB more they were beyond the 3 "
    "MiB that one user may have (images.mib_per_user)");
  CAF_CHECK_EQUAL(
    words(begin(bob, "a", mib(2))),
    "EDQUOT: there are 3 MiB of images, and with 2 MiB more they were beyond the 4 MiB "
    "that there may be (images.mib)");
  // One of the same name takes its place.
  CAF_CHECK_EQUAL(words(begin(alice, "b", mib(1))), "done");
  CAF_CHECK_EQUAL(words(begin(alice, "c", mib(1))), "done");
}

CAF_TEST(a refused upload leaves the one that it would replace) {
  CAF_REQUIRE(begin(alice, "a", mib(1)));
  CAF_CHECK_EQUAL(words(begin(alice, "a", mib(4))).substr(0, 6), "EDQUOT");
  CAF_CHECK_EQUAL(used("stored_image_bytes"), 1u << 20);
  CAF_CHECK_EQUAL(words(push(alice, "a", mib(1))), "done");
}

CAF_TEST(a user has so many uploads that are not finished) {
  auto place = begin(alice, "a", "a");
  CAF_REQUIRE(begin(alice, "b", "b"));
  CAF_CHECK_EQUAL(words(begin(alice, "c", "c")),
                  "EDQUOT: uid 1000 has 2 uploads that are not finished, as many as one user may "
                  "have (images.uploads_per_user)");
  CAF_CHECK_EQUAL(words(begin(alice, "b", "b")), "done");
  CAF_CHECK_EQUAL(words(go_on(alice, *place, "a")), "done");
  CAF_CHECK_EQUAL(words(begin(alice, "c", "c")), "done");
}

CAF_TEST(what there is counts after a restart) {
  CAF_REQUIRE_EQUAL(words(push(alice, "a", mib(2))), "done");
  CAF_REQUIRE(begin(alice, "b", mib(1)));
  open();
  CAF_CHECK_EQUAL(used("stored_images_per_user", &alice), 2u);
  CAF_CHECK_EQUAL(used("stored_image_bytes_per_user", &alice), 3u << 20);
  CAF_CHECK_EQUAL(used("image_uploads_per_user", &alice), 1u);
  CAF_CHECK_EQUAL(used("stored_images_per_user", &bob), 0u);
  CAF_CHECK_EQUAL(words(begin(alice, "c", "c")).substr(0, 6), "EDQUOT");
  std::uint64_t refused = 0;
  for (const auto& one : store->limits(nullptr))
    refused += one.refused;
  CAF_CHECK_EQUAL(refused, 1u);
}

CAF_TEST(an abandoned upload expires) {
  bounds.upload_age = std::chrono::seconds{60};
  open();
  auto place = begin(alice, "a", "ab");
  CAF_REQUIRE_EQUAL(words(put(alice, place->id, 0, "a")), "done");
  CAF_REQUIRE(begin(alice, "b", "bc"));
  auto path = dir / "state/images/uid-1000/.part-a/data";
  utimbuf old{1, 1};
  CAF_REQUIRE_EQUAL(::utime(path.c_str(), &old), 0);
  // A store that is opened finds it, and whoever begins something next has it removed.
  open();
  CAF_CHECK_EQUAL(used("image_uploads_per_user"), 2u);
  CAF_REQUIRE(begin(bob, "c", "c"));
  CAF_CHECK_EQUAL(used("image_uploads_per_user", &alice), 1u);
  CAF_CHECK_EQUAL(names_in(dir / "state/images/uid-1000"), ".owner .part-b");
  CAF_CHECK_EQUAL(offset_of(begin(alice, "a", "ab")), 0u);
}

CAF_TEST(an upload that too many others follow is closed and goes on) {
  bounds.uploads_per_user = bounds.per_user = bounds.in_all = max_open_uploads + 10;
  open();
  auto first = begin(alice, "first", "ab");
  CAF_REQUIRE_EQUAL(words(put(alice, first->id, 0, "a")), "done");
  for (std::size_t i = 0; i < max_open_uploads; ++i)
    CAF_REQUIRE(begin(alice, "n" + std::to_string(i), "x"));
  CAF_CHECK_EQUAL(words(put(alice, first->id, 1, "b")).substr(0, 6), "ENOENT");
  auto again = begin(alice, "first", "ab");
  CAF_CHECK_EQUAL(offset_of(again), 1u);
  CAF_CHECK_EQUAL(words(go_on(alice, *again, "ab")), "done");
}

CAF_TEST_FIXTURE_SCOPE_END()
