// SPDX-License-Identifier: Apache-2.0
// A directory for one test, and small files in it.
#pragma once

#include "crosvisor/io/unique_fd.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace crosvisor::tests {

/// Made empty, removed with all that is in it.
class temp_dir {
public:
  temp_dir() {
    auto pattern = (std::filesystem::temp_directory_path() / "crosvisor-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr)
      throw std::runtime_error("mkdtemp");
    path_ = pattern;
  }
  temp_dir(const temp_dir&) = delete;
  temp_dir& operator=(const temp_dir&) = delete;
  ~temp_dir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

  /// Writes a file and returns its path.
  std::string write(const std::string& name, const std::string& content, int mode = 0644) const {
    auto path = *this / name;
    std::ofstream{path, std::ios::binary} << content;
    std::filesystem::permissions(path, static_cast<std::filesystem::perms>(mode));
    return path;
  }

private:
  std::string path_;
};

inline std::string read_file(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream{path, std::ios::binary}.rdbuf();
  return text.str();
}

/// The names in a directory, sorted and joined by blanks.
inline std::string names_in(const std::string& path) {
  std::string names;
  std::vector<std::string> sorted;
  for (auto& entry : std::filesystem::directory_iterator{path})
    sorted.push_back(entry.path().filename().string());
  std::sort(sorted.begin(), sorted.end());
  for (auto& name : sorted)
    names += (names.empty() ? "" : " ") + name;
  return names;
}

} // namespace crosvisor::tests
