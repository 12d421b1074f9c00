// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/config/nearest_word.hpp"

#include <caf/test/dsl.hpp>

#undef CAF_SUITE
#define CAF_SUITE io.config.nearest_word

using crosvisor::io::nearest_word;

namespace {

std::string meant(std::string_view word) {
  return nearest_word(word, {"memory_mib", "kernel", "cpus", "disks"}).value_or("");
}

} // namespace

CAF_TEST(a slip of the finger finds the word) {
  CAF_CHECK_EQUAL(meant("memory_mb"), "memory_mib");
  CAF_CHECK_EQUAL(meant("memory_mbi"), "memory_mib");
  CAF_CHECK_EQUAL(meant("kernal"), "kernel");
  CAF_CHECK_EQUAL(meant("cpu"), "cpus");
  CAF_CHECK_EQUAL(meant("disk"), "disks");
}

CAF_TEST(a word that nothing resembles finds none) {
  CAF_CHECK_EQUAL(meant("network"), "");
  CAF_CHECK_EQUAL(meant(""), "");
  CAF_CHECK_EQUAL(meant("zz"), "");
  CAF_CHECK_EQUAL(meant(std::string(100000, 'k')), "");
}
