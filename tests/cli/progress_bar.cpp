// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/progress_bar.hpp"

#include <caf/test/dsl.hpp>

#undef CAF_SUITE
#define CAF_SUITE cli.progress_bar

using namespace crosvisor::cli;
using namespace std::chrono_literals;

CAF_TEST(a line has share and rate and rest) {
  CAF_CHECK_EQUAL(progress_line("big.apk", 710'000'000, 1'000'000'000, 250ms),
                  "big.apk  [##############------]   71 %  2.8 GB/s  0.1 s left");
  CAF_CHECK_EQUAL(progress_line("a", 5'000'000, 10'000'000, 1000ms),
                  "a  [##########----------]   50 %  5.0 MB/s  1.0 s left");
}

CAF_TEST(a line at the beginning and at the end) {
  CAF_CHECK_EQUAL(progress_line("a", 0, 100, 0ms), "a  [--------------------]    0 %");
  CAF_CHECK_EQUAL(progress_line("a", 0, 0, 0ms), "a  [####################]  100 %");
  CAF_CHECK_EQUAL(progress_line("a", 200'000'000, 100'000'000, 1000ms),
                  "a  [####################]  100 %  200 MB/s  0.0 s left");
}

CAF_TEST(a name can not steer the terminal) {
  CAF_CHECK_EQUAL(progress_line("\x1b[2J", 0, 1, 0ms), "\\x1b[2J  [--------------------]    0 %");
}
