// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/config/semver_requirement.hpp"

#include <caf/test/dsl.hpp>

#undef CAF_SUITE
#define CAF_SUITE io.config.semver_requirement

namespace {

std::string verdict(std::string_view requirement, crosvisor::io::semver version = {1, 0, 0}) {
  auto met = crosvisor::io::meets_requirement(requirement, version);
  return !met ? "malformed" : *met ? "met" : "unmet";
}

} // namespace

CAF_TEST(what Android writes is met by the platform) {
  CAF_CHECK_EQUAL(verdict("~1.0"), "met");
  CAF_CHECK_EQUAL(verdict("1.0.0"), "met");
  CAF_CHECK_EQUAL(verdict("^1"), "met");
  CAF_CHECK_EQUAL(verdict("~2.0"), "unmet");
}

CAF_TEST(each operator has its own meaning) {
  CAF_CHECK_EQUAL(verdict("=1", {1, 7, 3}), "met");
  CAF_CHECK_EQUAL(verdict("=1.7", {1, 7, 3}), "met");
  CAF_CHECK_EQUAL(verdict("=1.7.2", {1, 7, 3}), "unmet");
  CAF_CHECK_EQUAL(verdict(">1", {1, 7, 3}), "unmet");
  CAF_CHECK_EQUAL(verdict(">1.6", {1, 7, 3}), "met");
  CAF_CHECK_EQUAL(verdict(">=1.7.3", {1, 7, 3}), "met");
  CAF_CHECK_EQUAL(verdict("<1.7", {1, 7, 3}), "unmet");
  CAF_CHECK_EQUAL(verdict("<=1.7", {1, 7, 3}), "met");
  CAF_CHECK_EQUAL(verdict("~1.7.2", {1, 7, 3}), "met");
  CAF_CHECK_EQUAL(verdict("~1.6", {1, 7, 3}), "unmet");
  CAF_CHECK_EQUAL(verdict("^1.6", {1, 7, 3}), "met");
  CAF_CHECK_EQUAL(verdict("^1.8", {1, 7, 3}), "unmet");
}

CAF_TEST(a caret keeps the first part that is not zero) {
  CAF_CHECK_EQUAL(verdict("0.2.1", {0, 2, 3}), "met");
  CAF_CHECK_EQUAL(verdict("0.2.4", {0, 2, 3}), "unmet");
  CAF_CHECK_EQUAL(verdict("0.1", {0, 2, 3}), "unmet");
  CAF_CHECK_EQUAL(verdict("0.0.3", {0, 0, 3}), "met");
  CAF_CHECK_EQUAL(verdict("0.0.2", {0, 0, 3}), "unmet");
  CAF_CHECK_EQUAL(verdict("0.0", {0, 0, 3}), "met");
  CAF_CHECK_EQUAL(verdict("0", {0, 9, 3}), "met");
}

CAF_TEST(wildcards and lists) {
  CAF_CHECK_EQUAL(verdict("*"), "met");
  CAF_CHECK_EQUAL(verdict("1.*"), "met");
  CAF_CHECK_EQUAL(verdict("1.0.x"), "met");
  CAF_CHECK_EQUAL(verdict("1.1.*"), "unmet");
  CAF_CHECK_EQUAL(verdict("1.*.*"), "met");
  CAF_CHECK_EQUAL(verdict(">=1, <2"), "met");
  CAF_CHECK_EQUAL(verdict(">=0.9,<1"), "unmet");
  CAF_CHECK_EQUAL(verdict(" >= 1.0.0-rc.1+build "), "met");
  CAF_CHECK_EQUAL(verdict("=1.0.0-rc.1"), "unmet");
}

CAF_TEST(what is no requirement is told apart) {
  for (auto text : {"", "one", "1.", "1.a", "01.0", "1.0.0.0", ">=", ">=1 <2", "1,", "1.*.2",
                    "1.0-a", "1.0.0-", "99999999999999999999", ">*"})
    CAF_CHECK_EQUAL(std::make_pair(text, verdict(text)),
                    std::make_pair(text, std::string{"malformed"}));
}
