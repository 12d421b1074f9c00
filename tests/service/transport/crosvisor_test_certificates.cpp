// SPDX-License-Identifier: Apache-2.0
// crosvisor-test-certificates DIRECTORY [NAME]...: writes what write_test_certificates() does, for
// tests that are shell scripts. NAME is a host's name or address.
#include "crosvisor/tests/service/transport/test_certificates.hpp"

#include <exception>
#include <iostream>
#include <string>
#include <vector>

int main(int argc, char** argv) {
  if (argc < 2 || argv[1][0] == '-') {
    std::cerr << "usage: crosvisor-test-certificates DIRECTORY [NAME]...\n";
    return 2;
  }
  try {
    std::vector<std::string> names(argv + 2, argv + argc);
    crosvisor::tests::write_test_certificates(argv[1], names);
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}
