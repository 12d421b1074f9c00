// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/config/printable.hpp"
#include "crosvisor/io/vmm/confinement.hpp"

#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <optional>
#include <sstream>
#include <string_view>

namespace crosvisor::io {

namespace {

/// The path of this process in the hierarchy of version 2; see cgroups(7), /proc/[pid]/cgroup.
std::optional<std::string> own_path(const std::string& file) {
  std::ifstream lines{file};
  constexpr std::string_view start = "0::/";
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with(start))
      return line.substr(start.size() - 1);
  return std::nullopt;
}

/// Without the octal numbers that blanks and such are written as; see proc(5), mountinfo.
std::string unescaped(const std::string& text) {
  std::string plain;
  auto digit = [&](std::size_t at) {
    return at < text.size() && text[at] >= '0' && text[at] <= '7';
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || !digit(i + 1) || !digit(i + 2) || !digit(i + 3)) {
      plain += text[i];
      continue;
    }
    plain +=
      static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + text[i + 3] - '0');
    i += 3;
  }
  return plain;
}

/// What of `path` is below `root`, beginning with a slash or empty; nothing when it is not.
std::optional<std::string> below(const std::string& path, const std::string& root) {
  auto stem = root == "/" ? std::string{} : root;
  if (!path.starts_with(stem) || (path.size() > stem.size() && path[stem.size()] != '/'))
    return std::nullopt;
  auto rest = path.substr(stem.size());
  return rest == "/" ? std::string{} : rest;
}

/// Where a mount of version 2 shows `path`; nothing where this line is of no such mount.
std::optional<std::string> shown_by(const std::string& line, const std::string& path) {
  auto dash = line.find(" - cgroup2 ");
  std::istringstream words{line};
  std::string id, parent, device, root, point;
  if (dash == line.npos || !(words >> id >> parent >> device >> root >> point))
    return std::nullopt;
  auto rest = below(path, unescaped(root));
  return rest ? std::optional{unescaped(point) + *rest} : std::nullopt;
}

std::optional<std::string> shown_path(const std::string& mountinfo, const std::string& path) {
  std::ifstream lines{mountinfo};
  for (std::string line; std::getline(lines, line);)
    if (auto shown = shown_by(line, path))
      return shown;
  return std::nullopt;
}

bool is_delegated(const std::string& folder) {
  for (const auto* name : {"trusted.delegate", "user.delegate"}) {
    char value = 0;
    if (::getxattr(folder.c_str(), name, &value, 1) == 1 && value == '1')
      return true;
  }
  return false;
}

bool is_writable(const std::string& folder) {
  return ::access(folder.c_str(), W_OK) == 0
         && ::access((folder + "/cgroup.procs").c_str(), W_OK) == 0
         && ::access((folder + "/cgroup.subtree_control").c_str(), W_OK) == 0;
}

} // namespace

result<std::string> find_delegated_cgroup(const std::string& proc) {
  auto path = own_path(proc + "/cgroup");
  if (!path)
    return failure{ENOENT, "this process is in no cgroup of version 2"};
  // In a cgroup namespace, what is above its root.
  if (path->find("/..") != path->npos)
    return failure{ENOENT, "this process's cgroup " + in_quotes(*path) + " is out of its sight"};
  auto shown = shown_path(proc + "/mountinfo", *path);
  if (!shown)
    return failure{ENOENT, "this process's cgroup " + in_quotes(*path) + " is mounted nowhere"};
  auto above = shown->substr(0, shown->rfind('/'));
  for (const auto& folder : {*shown, above}) {
    if (!is_delegated(folder))
      continue;
    if (is_writable(folder))
      return folder;
    return failure{EACCES, "cgroup " + in_quotes(folder) + " is delegated, but can't be written"};
  }
  return failure{EPERM, "cgroup " + in_quotes(*shown)
                          + " is not delegated; Delegate=yes in the service's unit does it"};
}

} // namespace crosvisor::io
