// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/guest/early_failure.hpp"

#include <caf/test/dsl.hpp>

#undef CAF_SUITE
#define CAF_SUITE io.guest.early_failure

using namespace crosvisor;
using namespace crosvisor::io;

CAF_TEST(a name stands alone or before its detail) {
  auto alone = parse_early_failure("MICRODROID_PAYLOAD_HAS_CHANGED");
  CAF_REQUIRE(alone);
  CAF_CHECK(alone->reason == death_reason::microdroid_payload_has_changed);
  CAF_CHECK_EQUAL(alone->detail, "");
  auto detailed =
    parse_early_failure("MICRODROID_PAYLOAD_VERIFICATION_FAILED|block 7\x1b[2J is wrong\r\n");
  CAF_REQUIRE(detailed);
  CAF_CHECK(detailed->reason == death_reason::microdroid_payload_verification_failed);
  CAF_CHECK_EQUAL(detailed->detail, "block 7\\x1b[2J is wrong");
}

CAF_TEST(every name is known) {
  const std::pair<const char*, int> names[] = {
    {"PVM_FIRMWARE_PUBLIC_KEY_MISMATCH", 7},
    {"PVM_FIRMWARE_INSTANCE_IMAGE_CHANGED", 8},
    {"MICRODROID_FAILED_TO_CONNECT_TO_VIRTUALIZATION_SERVICE", 11},
    {"MICRODROID_PAYLOAD_HAS_CHANGED", 12},
    {"MICRODROID_PAYLOAD_VERIFICATION_FAILED", 13},
    {"MICRODROID_INVALID_PAYLOAD_CONFIG", 14},
    {"MICRODROID_UNKNOWN_RUNTIME_ERROR", 15},
  };
  for (const auto& [name, value] : names) {
    auto found = parse_early_failure(std::string{"\n"} + name + " \n");
    CAF_REQUIRE(found);
    CAF_CHECK_EQUAL(static_cast<int>(found->reason), value);
  }
}

CAF_TEST(other text is no failure) {
  for (const auto* text : {"", "\n", "login: ", "MICRODROID_", "MICRODROID_PAYLOAD_HAS_CHANGEDX",
                           "x MICRODROID_PAYLOAD_HAS_CHANGED", "|"})
    CAF_CHECK(!parse_early_failure(text));
}
