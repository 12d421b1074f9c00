// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/log/kept_logs.hpp"

#include "crosvisor/io/config/printable.hpp"
#include "crosvisor/io/log/log_store.hpp"
#include "crosvisor/io/private_dir.hpp"
#include "crosvisor/messages/vm_config.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace crosvisor::io {

namespace {

constexpr auto dir_flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;

// The inverse of log_dir_name().
std::optional<logged_vm> parse_folder(const std::string& folder) {
  logged_vm vm;
  const auto* end = folder.data() + folder.size();
  auto [stop, error] = std::from_chars(folder.data(), end, vm.cid);
  if (error != std::errc{} || stop == end || *stop != '-')
    return std::nullopt;
  vm.name.assign(stop + 1, end);
  if (!valid_vm_name(vm.name) || log_dir_name(vm.cid, vm.name) != folder)
    return std::nullopt;
  return vm;
}

using age = std::pair<time_t, long>;

} // namespace

std::string log_folder(const std::string& state_dir, vm_cid cid, const vm_name& name) {
  return state_dir + "/logs/" + log_dir_name(cid, name);
}

std::vector<logged_vm> list_logged_vms(const std::string& state_dir) {
  auto path = state_dir + "/logs";
  unique_fd dir{::open(path.c_str(), dir_flags)};
  auto names = dir ? list_dir(dir.get()) : failure{};
  std::vector<std::pair<age, logged_vm>> aged;
  for (const auto& name : names ? *names : std::vector<std::string>{}) {
    auto vm = parse_folder(name);
    struct stat is;
    if (!vm || ::fstatat(dir.get(), name.c_str(), &is, AT_SYMLINK_NOFOLLOW) != 0
        || !S_ISDIR(is.st_mode))
      continue;
    vm->folder = log_folder(state_dir, vm->cid, vm->name);
    aged.emplace_back(age{is.st_mtim.tv_sec, is.st_mtim.tv_nsec}, std::move(*vm));
  }
  std::sort(aged.begin(), aged.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<logged_vm> vms;
  vms.reserve(aged.size());
  for (auto& [when, vm] : aged)
    vms.push_back(std::move(vm));
  return vms;
}

std::optional<logged_vm> find_logged_vm(const std::vector<logged_vm>& vms,
                                        const std::string& wanted) {
  auto i = std::find_if(vms.rbegin(), vms.rend(), [&](const auto& vm) {
    return vm.name == wanted || std::to_string(vm.cid) == wanted;
  });
  if (i == vms.rend())
    return std::nullopt;
  return *i;
}

result<unique_fd> open_log_folder(const logged_vm& vm) {
  unique_fd folder{::open(vm.folder.c_str(), dir_flags | O_NOFOLLOW)};
  if (!folder)
    return last_failure(in_quotes(vm.folder));
  return folder;
}

} // namespace crosvisor::io
