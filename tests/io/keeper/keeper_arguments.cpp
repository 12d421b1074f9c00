// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/keeper/keeper.hpp"

#include <caf/test/dsl.hpp>

#undef CAF_SUITE
#define CAF_SUITE io.keeper.arguments

using namespace crosvisor::io;

namespace {

/// `LAUNCH SERVICE RECORD`, or what is wrong.
std::string parsed(std::vector<const char*> arguments) {
  auto made = parse_keeper_arguments(arguments);
  if (!made)
    return made.why().what;
  return std::to_string(made->launch_fd) + " " + std::to_string(made->service_fd) + " "
         + std::to_string(made->record_fd);
}

} // namespace

CAF_TEST(each number is taken by its name) {
  CAF_CHECK_EQUAL(parsed({"--record-fd", "5", "--launch-fd", "3", "--service-fd", "4"}), "3 4 5");
}

CAF_TEST(what is wrong is said) {
  CAF_CHECK_EQUAL(parsed({}), "needs --launch-fd N --service-fd N --record-fd N");
  CAF_CHECK_EQUAL(parsed({"--launch-fd"}), "--launch-fd: must be a descriptor above 2");
  CAF_CHECK_EQUAL(parsed({"--launch-fd", "2"}), "--launch-fd: must be a descriptor above 2");
  CAF_CHECK_EQUAL(parsed({"--launch-fd", "3x"}), "--launch-fd: must be a descriptor above 2");
  CAF_CHECK_EQUAL(parsed({"--launch-fd", "99999999999"}),
                  "--launch-fd: must be a descriptor above 2");
  CAF_CHECK_EQUAL(parsed({"--launch-fd", "3", "--launch-fd", "4"}), "--launch-fd: given twice");
  CAF_CHECK_EQUAL(parsed({"--cid", "3"}),
                  "unknown option; known are --launch-fd N --service-fd N --record-fd N");
  CAF_CHECK_EQUAL(parsed({"--record-fd", "5", "--launch-fd", "3", "--service-fd", "5"}),
                  "the descriptors must be different ones");
}
