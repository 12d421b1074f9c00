// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/vmm/confinement.hpp"

#include "crosvisor/io/config/printable.hpp"

#include <linux/capability.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <utility>

namespace crosvisor::io {

namespace {

// -- capabilities
// ----------------------------------------------------------------------------------

result<void> check_capabilities(const std::string& proc) {
  std::ifstream status{proc + "/status"};
  std::uint64_t held = 0;
  for (std::string line; std::getline(status, line);)
    std::sscanf(line.c_str(), "CapEff:%" SCNx64, &held);
  for (auto [bit, name] :
       {std::pair{CAP_SETUID, "CAP_SETUID"}, {CAP_SETGID, "CAP_SETGID"}, {CAP_KILL, "CAP_KILL"}})
    if ((held >> bit & 1) == 0)
      return failure{EPERM, std::string{"this process lacks "} + name
                              + ", so it can't run VMs as users of their own"};
  return {};
}

// -- user namespaces
// -------------------------------------------------------------------------------

struct id_range {
  std::uint64_t first;
  std::uint64_t count;
};

/// The ids that there are; of user_namespaces(7): inside, outside, how many.
std::vector<id_range> read_map(const std::string& path) {
  std::ifstream map{path};
  std::vector<id_range> ranges;
  id_range one{};
  for (std::uint64_t outside = 0; map >> one.first >> outside >> one.count;)
    ranges.push_back(one);
  return ranges;
}

/// The first id of `first` to `last` that is in no range; one more than the last: all are.
std::uint64_t first_missing(const std::vector<id_range>& ranges, std::uint64_t first,
                            std::uint64_t last) {
  for (auto moved = true; moved && first <= last;) {
    moved = false;
    for (const auto& one : ranges)
      if (first >= one.first && first - one.first < one.count) {
        first = one.first + one.count;
        moved = true;
      }
  }
  return first > last ? last + 1 : first;
}

result<void> check_ids(const vmm_user_range& users, const std::string& proc) {
  auto first = std::uint64_t{users.first_uid} + 1;
  auto last = std::uint64_t{users.first_uid} + users.last_cid;
  constexpr std::uint64_t no_id = 0xffffffff;
  if (last >= no_id)
    return failure{0, "the users of VMs would go up to " + std::to_string(last)
                        + "; the highest there can be is " + std::to_string(no_id - 1)};
  for (auto [map, name] : {std::pair{"/uid_map", "uid "}, {"/gid_map", "gid "}})
    if (auto missing = first_missing(read_map(proc + map), first, last); missing <= last)
      return failure{EINVAL, name + std::to_string(missing)
                               + ", a VM's, is not there in this user namespace"};
  std::string groups;
  if (std::getline(std::ifstream{proc + "/setgroups"}, groups) && groups != "allow")
    return failure{EPERM, "this user namespace lets nobody change groups"};
  return {};
}

// -- files
// -----------------------------------------------------------------------------------------

result<void> check_mode(const std::string& path, mode_t needed) {
  struct stat is;
  if (::stat(path.c_str(), &is) != 0)
    return last_failure(in_quotes(path));
  if ((is.st_mode & needed) == needed)
    return {};
  return failure{EACCES, in_quotes(path) + " is closed to users of VMs; chmod it to o+"
                           + (needed == S_IXOTH   ? "x"
                              : needed == S_IROTH ? "r"
                                                  : "rx")};
}

result<void> check_folders(const std::filesystem::path& path) {
  for (auto folder = path.parent_path(); folder.has_relative_path(); folder = folder.parent_path())
    if (auto open = check_mode(folder.string(), S_IXOTH); !open)
      return open;
  return {};
}

} // namespace

vmm_user user_of(const vmm_user_range& users, vm_cid cid) {
  auto id = users.first_uid + cid;
  return {id, id, {}};
}

std::vector<gid_t> kvm_groups() {
  struct stat is;
  constexpr mode_t all = S_IROTH | S_IWOTH, group = S_IRGRP | S_IWGRP;
  if (::stat("/dev/kvm", &is) != 0 || (is.st_mode & all) == all)
    return {};
  // Root's own group is given to nobody.
  return (is.st_mode & group) == group && is.st_gid != 0 ? std::vector<gid_t>{is.st_gid}
                                                         : std::vector<gid_t>{};
}

result<void> check_vmm_users(const vmm_user_range& users, const std::string& proc) {
  if (auto able = check_capabilities(proc); !able)
    return able;
  return check_ids(users, proc);
}

result<void> check_reach(const std::string& path, file_use use) {
  std::error_code why;
  auto real = std::filesystem::canonical(path, why);
  if (why)
    return failure{why.value(), in_quotes(path) + ": " + why.message()};
  for (const auto& one : {std::filesystem::path{path}, real})
    if (auto open = check_folders(one); !open)
      return open;
  return check_mode(real.string(), use == file_use::execute ? S_IROTH | S_IXOTH : S_IROTH);
}

} // namespace crosvisor::io
