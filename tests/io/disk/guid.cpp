// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/disk/guid.hpp"

#include <caf/test/dsl.hpp>

#include <set>

#undef CAF_SUITE
#define CAF_SUITE io.disk.guid

using namespace crosvisor::io;

CAF_TEST(a GUID is read in either case and printed in upper case) {
  auto id = parse_guid("0fc63daf-8483-4772-8E79-3D69D8477DE4");
  CAF_REQUIRE(id.has_value());
  CAF_CHECK(*id == linux_filesystem_type);
  CAF_CHECK_EQUAL(to_string(*id), "0FC63DAF-8483-4772-8E79-3D69D8477DE4");
  CAF_CHECK_EQUAL(to_string(guid{}), "00000000-0000-0000-0000-000000000000");
}

CAF_TEST(anything else is no GUID) {
  for (auto text :
       {"", "0", "{0FC63DAF-8483-4772-8E79-3D69D8477DE4}", "0FC63DAF-8483-4772-8E79-3D69D8477DE",
        "0FC63DAF-8483-4772-8E79-3D69D8477DEG", "0FC63DAF084830477208E7903D69D8477DE4",
        "0FC63DAF-8483-4772-8E79-3D69D8477DE4 ", "+FC63DAF-8483-4772-8E79-3D69D8477DE4"})
    CAF_CHECK(!parse_guid(text).has_value());
}

CAF_TEST(the first three fields are stored little endian) {
  auto id = parse_guid("00112233-4455-6677-8899-AABBCCDDEEFF");
  CAF_REQUIRE(id.has_value());
  CAF_CHECK_EQUAL(to_string(mixed_endian(*id)), "33221100-5544-7766-8899-AABBCCDDEEFF");
  CAF_CHECK(mixed_endian(mixed_endian(*id)) == *id);
}

CAF_TEST(random GUIDs are of version 4 and differ) {
  std::set<guid> seen;
  for (auto i = 0; i < 100; ++i) {
    auto id = random_guid();
    CAF_REQUIRE(static_cast<bool>(id));
    CAF_CHECK_EQUAL(id->bytes[6] >> 4, 4);
    CAF_CHECK_EQUAL(id->bytes[8] >> 6, 2);
    seen.insert(*id);
  }
  CAF_CHECK_EQUAL(seen.size(), 100u);
}
