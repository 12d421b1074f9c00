// SPDX-License-Identifier: Apache-2.0
// Files to be inspected, and what comes of it.
#pragma once

#include "crosvisor/cli/inspected_file.hpp"
#include "crosvisor/tests/io/temp_dir.hpp"

#include <caf/test/dsl.hpp>

#include <filesystem>
#include <string>
#include <vector>

namespace crosvisor::tests {

inline std::string joined(const std::vector<std::string>& sentences) {
  std::string all;
  for (const auto& one : sentences)
    all += (all.empty() ? "" : "; ") + one;
  return all;
}

struct inspect_fixture {
  temp_dir dir;

  /// @param path of a file that can be opened.
  static cli::inspection look(const std::string& path) {
    auto file = cli::inspected_file::open(path);
    if (!file)
      CAF_FAIL(file.why().what);
    return cli::inspect_file(*file);
  }

  cli::inspection look_at(const std::string& bytes) const {
    return look(dir.write("looked-at", bytes));
  }

  /// The file's format and what is wrong with it: `raw: `.
  static std::string verdict(const cli::inspection& found) {
    return found.format + ": " + joined(found.problems);
  }

  std::string verdict_of(const std::string& bytes) const { return verdict(look_at(bytes)); }

  /// A copy of one of our golden folders.
  std::string copy(const std::string& folder) const {
    std::filesystem::copy(std::filesystem::path{CROSVISOR_TEST_GOLDEN} / folder, dir / folder);
    return dir / folder;
  }
};

} // namespace crosvisor::tests
