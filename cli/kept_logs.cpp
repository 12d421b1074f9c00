// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/kept_logs.hpp"

#include "crosvisor/io/log/log_store.hpp"
#include "crosvisor/io/private_dir.hpp"
#include "crosvisor/io/unique_fd.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

namespace crosvisor::cli {

namespace {

/// The inverse of io::log_dir_name.
std::optional<kept_vm> parse_folder(const std::string& folder) {
  kept_vm vm;
  const auto* end = folder.data() + folder.size();
  auto [stop, error] = std::from_chars(folder.data(), end, vm.cid);
  if (error != std::errc{} || stop == end || *stop != '-')
    return std::nullopt;
  vm.name.assign(stop + 1, end);
  return vm;
}

using age = std::pair<time_t, long>;

} // namespace

std::string log_folder(const std::string& state_dir, vm_cid cid, const vm_name& name) {
  return state_dir + "/logs/" + io::log_dir_name(cid, name);
}

std::vector<kept_vm> list_kept_vms(const std::string& state_dir) {
  auto path = state_dir + "/logs";
  io::unique_fd dir{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  auto names = dir ? io::list_dir(dir.get()) : io::failure{};
  std::vector<std::pair<age, kept_vm>> aged;
  for (const auto& name : names ? *names : std::vector<std::string>{}) {
    auto vm = parse_folder(name);
    struct stat info {};
    if (!vm || ::fstatat(dir.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0)
      continue;
    aged.emplace_back(age{info.st_mtim.tv_sec, info.st_mtim.tv_nsec}, std::move(*vm));
  }
  std::sort(aged.begin(), aged.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<kept_vm> vms;
  vms.reserve(aged.size());
  for (auto& [when, vm] : aged)
    vms.push_back(std::move(vm));
  return vms;
}

} // namespace crosvisor::cli
