// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/nbdkit/options.hpp"

#include <caf/test/dsl.hpp>

#undef CAF_SUITE
#define CAF_SUITE nbdkit.options

using crosvisor::nbdkit::parse_sparse;
using numbers = std::vector<int>;

CAF_TEST(words and numbers are read) {
  CAF_CHECK(*parse_sparse("auto") == std::nullopt);
  CAF_CHECK(*parse_sparse("none") == numbers{});
  CAF_CHECK((*parse_sparse("7") == numbers{7}));
  CAF_CHECK((*parse_sparse("7,19,0") == numbers{7, 19, 0}));
}

CAF_TEST(anything else is refused with what is allowed) {
  for (auto text : {"", "7,", ",7", "7,,9", "-1", "7 ", "0x7", "all", "99999999999", "7,none"}) {
    auto parsed = parse_sparse(text);
    CAF_REQUIRE(!parsed);
    CAF_CHECK_EQUAL(parsed.why().code, 0);
    CAF_CHECK(parsed.why().what.find("is none of auto, none, and descriptors such as 7,9")
              != std::string::npos);
  }
}
