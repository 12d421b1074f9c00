// SPDX-License-Identifier: Apache-2.0
// A cgroup (v2) for one test, where this host has such and lets us make one.
#pragma once

#include "crosvisor/tests/io/leftovers.hpp"
#include "crosvisor/tests/io/temp_dir.hpp"

#include <caf/test/dsl.hpp>

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace crosvisor::tests {

/// Removed with the empty ones in it.
class test_cgroup {
public:
  test_cgroup() {
    auto mount = find_mount();
    if (mount.empty())
      return;
    static int count = 0;
    path_ = mount + "/crosvisor-test-" + std::to_string(::getpid()) + "-" + std::to_string(++count);
    if (::mkdir(path_.c_str(), 0755) != 0)
      path_.clear();
  }
  test_cgroup(const test_cgroup&) = delete;
  test_cgroup& operator=(const test_cgroup&) = delete;
  ~test_cgroup() {
    if (path_.empty())
      return;
    for (const auto& name : cgroups())
      ::rmdir((path_ + "/" + name).c_str());
    if (::rmdir(path_.c_str()) != 0)
      CAF_ERROR(path_ << " can't be removed");
  }

  /// False, and says so, where a test has to go without.
  explicit operator bool() const {
    if (path_.empty())
      CAF_MESSAGE("SKIPPED: no cgroup (v2) can be made on this host");
    return !path_.empty();
  }

  const std::string& path() const noexcept { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

  /// The names of those in it.
  std::vector<std::string> cgroups() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator{path_})
      if (entry.is_directory())
        names.push_back(entry.path().filename().string());
    return names;
  }

  /// Puts a process into the one of that name.
  bool put(const std::string& name, int pid) const {
    std::ofstream procs{path_ + "/" + name + "/cgroup.procs"};
    return static_cast<bool>(procs << pid << std::flush);
  }

private:
  static std::string find_mount() {
    std::ifstream lines{"/proc/self/mounts"};
    for (std::string line; std::getline(lines, line);) {
      std::istringstream words{line};
      std::string device, point, type;
      if (words >> device >> point >> type && type == "cgroup2")
        return point;
    }
    return {};
  }

  std::string path_;
};

/// The cgroup (v2) of a process: what comes after `0::`.
inline std::string cgroup_of(int pid) {
  std::ifstream lines{"/proc/" + std::to_string(pid) + "/cgroup"};
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with("0::"))
      return line.substr(3);
  return {};
}

} // namespace crosvisor::tests
