// SPDX-License-Identifier: Apache-2.0
// The runner of every test program; the only file with CAF's test implementation.
#define CAF_TEST_NO_MAIN
#include <caf/test/unit_test_impl.hpp>

int main(int argc, char** argv) {
  return caf::test::main(argc, argv);
}
