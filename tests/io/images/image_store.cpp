// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/tests/io/images/store_fixture.hpp"

#undef CAF_SUITE
#define CAF_SUITE io.images.image_store

using namespace crosvisor;
using namespace crosvisor::io;
using namespace crosvisor::tests;

namespace {

struct fixture : store_fixture {
  const std::string bytes = some_bytes(max_image_piece_bytes * 2 + 4711);

  fixture() {
    open();
    CAF_REQUIRE(store != nullptr);
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(image_store_tests, fixture)

CAF_TEST(what is pushed is listed and read as it was) {
  auto place = begin(alice, "disk.img", bytes);
  CAF_REQUIRE(place);
  CAF_CHECK_EQUAL(offset_of(place), 0u);
  CAF_CHECK(place && !place->is_stored);
  CAF_CHECK_EQUAL(names(&alice), "");
  auto stored = go_on(alice, *place, bytes);
  CAF_REQUIRE_EQUAL(words(stored), "done");
  CAF_CHECK_EQUAL(stored->name, "disk.img");
  CAF_CHECK_EQUAL(stored->owner, "uid 1000");
  CAF_CHECK_EQUAL(stored->size_bytes, bytes.size());
  CAF_CHECK_EQUAL(stored->sha256, sum_of(bytes));
  CAF_CHECK(stored->stored_ms > 0);
  CAF_CHECK_EQUAL(names(&alice), "disk.img");
  CAF_CHECK(pull(alice, "disk.img") == bytes);
  auto part = read(alice, "disk.img", bytes.size() - 1);
  CAF_REQUIRE(part);
  CAF_CHECK_EQUAL(part->bytes, bytes.substr(bytes.size() - 1));
  CAF_CHECK_EQUAL(part->size_bytes, bytes.size());
  CAF_CHECK_EQUAL(part->sha256, sum_of(bytes));
}

CAF_TEST(nobody reaches another s images) {
  CAF_REQUIRE_EQUAL(words(push(alice, "a", bytes)), "done");
  CAF_CHECK_EQUAL(names(&bob), "");
  CAF_CHECK_EQUAL(words(read(bob, "a", 0)), "ENOENT: no image \"a\"");
  CAF_CHECK_EQUAL(words(remove(bob, "a")), "ENOENT: no image \"a\"");
  CAF_CHECK_EQUAL(words(open_images(bob, {{"a", false}})), "ENOENT: no image \"a\"");
  auto place = begin(alice, "b", bytes);
  CAF_CHECK_EQUAL(words(put(bob, place->id, 0, "x")),
                  "ENOENT: there is no such upload any more; begin it again");
  CAF_CHECK_EQUAL(words(finish(bob, place->id)),
                  "ENOENT: there is no such upload any more; begin it again");
  CAF_REQUIRE_EQUAL(words(push(bob, "a", "bob's")), "done");
  CAF_CHECK_EQUAL(pull(bob, "a"), "bob's");
  auto all = list(nullptr);
  CAF_REQUIRE_EQUAL(all.size(), 2u);
  CAF_CHECK_EQUAL(all[0].owner, "subject \"CN=bob,O=Example\"");
  CAF_CHECK_EQUAL(all[1].owner, "uid 1000");
}

CAF_TEST(an upload goes on where it ended and after a restart too) {
  auto place = begin(alice, "disk.img", bytes);
  CAF_REQUIRE_EQUAL(words(put(alice, place->id, 0, bytes.substr(0, 1000))), "done");
  auto again = begin(alice, "disk.img", bytes);
  CAF_CHECK_EQUAL(offset_of(again), 1000u);
  CAF_CHECK_EQUAL(words(put(alice, place->id, 1000, "x")),
                  "ENOENT: there is no such upload any more; begin it again");
  CAF_REQUIRE_EQUAL(words(put(alice, again->id, 1000, bytes.substr(1000, 1))), "done");
  open();
  CAF_CHECK_EQUAL(names(&alice), "");
  CAF_CHECK_EQUAL(words(put(alice, again->id, 1001, "x")),
                  "ENOENT: there is no such upload any more; begin it again");
  auto third = begin(alice, "disk.img", bytes);
  CAF_CHECK_EQUAL(offset_of(third), 1001u);
  CAF_REQUIRE_EQUAL(words(go_on(alice, *third, bytes)), "done");
  CAF_CHECK(pull(alice, "disk.img") == bytes);
  open();
  CAF_CHECK_EQUAL(names(&alice), "disk.img");
  CAF_CHECK(pull(alice, "disk.img") == bytes);
}

CAF_TEST(an upload of other bytes begins anew) {
  auto other = some_bytes(bytes.size(), 7);
  auto place = begin(alice, "disk.img", bytes);
  CAF_REQUIRE_EQUAL(words(put(alice, place->id, 0, bytes.substr(0, 1000))), "done");
  auto next = begin(alice, "disk.img", other);
  CAF_CHECK_EQUAL(offset_of(next), 0u);
  CAF_REQUIRE_EQUAL(words(go_on(alice, *next, other)), "done");
  CAF_CHECK(pull(alice, "disk.img") == other);
}

CAF_TEST(pieces come in order and fit) {
  auto place = begin(alice, "disk.img", bytes);
  auto id = place->id;
  CAF_CHECK_EQUAL(words(put(alice, id, 1, "x")),
                  "EINVAL: image \"disk.img\": a piece at 1; the next "
                  "one is expected at 0");
  CAF_CHECK_EQUAL(words(put(alice, id, 0, "")), "EINVAL: image \"disk.img\": a piece of 0 bytes; "
                                                "allowed are 1 to 262144");
  CAF_CHECK_EQUAL(words(put(alice, id, 0, some_bytes(max_image_piece_bytes + 1))),
                  "EINVAL: image \"disk.img\": a piece of 262145 bytes; allowed are 1 to 262144");
  CAF_REQUIRE_EQUAL(words(put(alice, id, 0, bytes.substr(0, 262'144))), "done");
  CAF_CHECK_EQUAL(words(put(alice, id, 0, bytes.substr(0, 262'144))),
                  "EINVAL: image \"disk.img\": a piece at 0; the next one is expected at 262144");
  CAF_CHECK_EQUAL(words(finish(alice, id)), "EINVAL: image \"disk.img\" is not whole: 266855 of "
                                            "528999 bytes are missing");
  CAF_REQUIRE_EQUAL(words(put(alice, id, 262'144, bytes.substr(262'144, 262'144))), "done");
  CAF_CHECK_EQUAL(words(put(alice, id, 524'288, some_bytes(4712))),
                  "EINVAL: image \"disk.img\": a piece of 4712 bytes; only 4711 are missing");
  CAF_REQUIRE_EQUAL(words(put(alice, id, 524'288, bytes.substr(524'288))), "done");
  CAF_CHECK_EQUAL(words(finish(alice, id)), "done");
  CAF_CHECK(pull(alice, "disk.img") == bytes);
}

CAF_TEST(another checksum removes all of it) {
  std::optional<result<upload_place>> place;
  store->begin(alice, {"disk.img", 3, sum_of("abd")}, into(place));
  auto finished = go_on(alice, **place, "abc");
  CAF_CHECK_EQUAL(words(finished),
                  "EBADMSG: image \"disk.img\" was removed: its bytes have the checksum "
                    + sum_of("abc") + ", and " + sum_of("abd") + " was said");
  CAF_CHECK_EQUAL(names(&alice), "");
  CAF_CHECK_EQUAL(used("stored_images"), 0u);
  CAF_CHECK_EQUAL(names_in(dir / "state/images/uid-1000"), ".owner");
}

CAF_TEST(an image is stored once and not replaced) {
  CAF_REQUIRE_EQUAL(words(push(alice, "a", bytes)), "done");
  auto again = begin(alice, "a", bytes);
  CAF_REQUIRE(again);
  CAF_CHECK(again && again->is_stored);
  CAF_CHECK_EQUAL(words(begin(alice, "a", "other")),
                  "EEXIST: there is another image \"a\"; remove it, or choose another name");
  CAF_CHECK_EQUAL(words(remove(alice, "a")), "done");
  CAF_CHECK_EQUAL(words(push(alice, "a", "other")), "done");
  CAF_CHECK_EQUAL(pull(alice, "a"), "other");
}

CAF_TEST(an upload can be removed) {
  auto place = begin(alice, "a", bytes);
  CAF_REQUIRE_EQUAL(words(put(alice, place->id, 0, "x")), "done");
  CAF_CHECK_EQUAL(words(remove(alice, "a")), "done");
  CAF_CHECK_EQUAL(words(put(alice, place->id, 1, "x")),
                  "ENOENT: there is no such upload any more; begin it again");
  CAF_CHECK_EQUAL(words(remove(alice, "a")), "ENOENT: no image \"a\"");
  CAF_CHECK_EQUAL(names_in(dir / "state/images/uid-1000"), ".owner");
  CAF_CHECK_EQUAL(used("stored_image_bytes"), 0u);
}

CAF_TEST(no name is a path) {
  for (const auto* name : {"", ".", "..", "/etc/passwd", "../a", "a/b", ".part-a", "-a", "1a",
                           "a b", "a\n", ".owner", "\xff"}) {
    CAF_CHECK_EQUAL(words(begin(alice, name, "x")).substr(0, 13), "EINVAL: name:");
    CAF_CHECK_EQUAL(words(read(alice, name, 0)).substr(0, 7), "ENOENT:");
    CAF_CHECK_EQUAL(words(remove(alice, name)).substr(0, 7), "ENOENT:");
    CAF_CHECK_EQUAL(words(open_images(alice, {{name, true}})).substr(0, 7), "ENOENT:");
    CAF_CHECK_EQUAL(words(make(alice, name, 1)).substr(0, 7), "EINVAL:");
  }
  std::string nul{"a\0b", 3};
  CAF_CHECK_EQUAL(words(begin(alice, nul, "x")).substr(0, 13), "EINVAL: name:");
  CAF_CHECK_EQUAL(words(begin(alice, std::string(65, 'a'), "x")).substr(0, 13), "EINVAL: name:");
  CAF_CHECK_EQUAL(words(begin(alice, std::string(64, 'a'), "x")), "done");
}

CAF_TEST(what an upload says of itself is checked) {
  std::optional<result<upload_place>> got;
  store->begin(alice, {"a", 0, sum_of("")}, into(got));
  CAF_CHECK_EQUAL(words(*got), "EINVAL: size: is 0 bytes; allowed are 1 to 2199023255552");
  store->begin(alice, {"a", max_image_bytes + 1, sum_of("")}, into(got));
  CAF_CHECK_EQUAL(words(*got).substr(0, 12), "EINVAL: size");
  for (auto sum :
       {std::string{}, std::string(63, 'a'), std::string(64, 'A'), std::string(65, 'a')}) {
    store->begin(alice, {"a", 1, sum}, into(got));
    CAF_CHECK_EQUAL(words(*got),
                    "EINVAL: sha256: is none; it has 64 lower-case hexadecimal digits");
  }
}

CAF_TEST_FIXTURE_SCOPE_END()
