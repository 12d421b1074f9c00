// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/host/installed_file.hpp"

#include <unistd.h>

#include <cerrno>
#include <climits>
#include <vector>

namespace crosvisor::io {

namespace {

/// The folder of this process's program; empty when it is unknown.
std::string own_folder() {
  char path[PATH_MAX];
  auto length = ::readlink("/proc/self/exe", path, sizeof(path));
  if (length <= 0 || length == sizeof(path))
    return {};
  std::string whole(path, static_cast<std::size_t>(length));
  return whole.substr(0, whole.rfind('/'));
}

std::vector<std::string> folders(const std::string& folder) {
  auto absolute = folder.starts_with('/');
  std::vector<std::string> all;
  if (auto own = own_folder(); !own.empty()) {
    all.push_back(own);
    if (!absolute)
      all.push_back(own + "/../" + folder);
  }
  all.push_back(absolute ? folder : CROSVISOR_PREFIX "/" + folder);
  return all;
}

} // namespace

result<std::string> find_installed_file(const std::string& name, const std::string& folder,
                                        file_use use) {
  std::string tried;
  for (const auto& one : folders(folder)) {
    auto path = one + '/' + name;
    if (::access(path.c_str(), use == file_use::execute ? X_OK : R_OK) == 0)
      return path;
    tried += (tried.empty() ? "" : " or ") + one;
  }
  return failure{ENOENT,
                 "no " + name + " in " + tried + "; install it with crosvisor, or name its path"};
}

} // namespace crosvisor::io
