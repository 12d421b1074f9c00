// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/kept_logs.hpp"

#include "crosvisor/io/config/printable.hpp"
#include "crosvisor/io/log/log_store.hpp"
#include "crosvisor/io/private_dir.hpp"
#include "crosvisor/io/unique_fd.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace crosvisor::cli {

namespace {

constexpr std::size_t max_line_bytes = 160;

std::string read_tail(const std::string& path, std::size_t bytes) {
  io::unique_fd fd{::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)};
  struct stat info {};
  if (!fd || ::fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode))
    return "";
  std::string text(bytes, '\0');
  auto size = static_cast<std::size_t>(info.st_size);
  auto begin = static_cast<off_t>(size > bytes ? size - bytes : 0);
  auto n = ::pread(fd.get(), text.data(), text.size(), begin);
  text.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
  return text;
}

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
    vm->folder = path + '/';
    vm->folder += name;
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

std::optional<kept_vm> find_kept_vm(const std::vector<kept_vm>& vms, const std::string& wanted) {
  auto i = std::find_if(vms.rbegin(), vms.rend(), [&](const auto& vm) {
    return vm.name == wanted || std::to_string(vm.cid) == wanted;
  });
  if (i == vms.rend())
    return std::nullopt;
  return *i;
}

std::vector<std::string> last_lines(const std::string& folder, const std::string& log,
                                    std::size_t count) {
  auto text = read_tail(folder + '/' + log + ".log", 8u << 10);
  std::vector<std::string> lines;
  while (!text.empty() && lines.size() < count) {
    auto end = text.find_last_not_of("\r\n");
    if (end == std::string::npos)
      break;
    auto begin = text.find_last_of("\r\n", end) + 1; // npos + 1 is 0.
    lines.push_back(io::printable(text.substr(begin, end + 1 - begin), max_line_bytes));
    text.resize(begin);
  }
  std::reverse(lines.begin(), lines.end());
  return lines;
}

} // namespace crosvisor::cli
