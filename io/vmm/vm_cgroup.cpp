// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/vmm/vm_cgroup.hpp"

#include "crosvisor/io/config/printable.hpp"
#include "crosvisor/io/logging.hpp"
#include "crosvisor/io/private_dir.hpp"
#include "crosvisor/io/vmm/confinement.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <charconv>
#include <sstream>
#include <string_view>
#include <utility>

namespace crosvisor::io {

namespace {

constexpr std::string_view prefix = "vm-";
constexpr std::string_view keeper_prefix = "keeper-";
constexpr std::string_view last_suffix = ".last";
constexpr auto service_name = "service";

// -- files of a cgroup
// -----------------------------------------------------------------------------

/// One write, as the kernel wants it; errno says why not.
bool write_file(int dir, const char* name, std::string_view text) {
  unique_fd file{::openat(dir, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW)};
  return file && ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

/// All of a small file, or what could be read of it.
std::string read_file(int dir, const char* name) {
  unique_fd file{::openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
  std::string text;
  char bytes[4096];
  for (ssize_t got = 0; file && (got = ::read(file.get(), bytes, sizeof bytes)) > 0;)
    text.append(bytes, static_cast<std::size_t>(got));
  return text;
}

bool has_word(const std::string& text, const std::string& word) {
  std::istringstream words{text};
  for (std::string one; words >> one;)
    if (one == word)
      return true;
  return false;
}

// -- removal
// ---------------------------------------------------------------------------------------

bool is_populated(int events) {
  char text[256] = {};
  return ::pread(events, text, sizeof(text) - 1, 0) > 0
         && std::string_view{text}.find("populated 0") == std::string_view::npos;
}

/// Waits until no process is left; the file says when it changes (cgroups(7), Release
/// notification).
void wait_until_empty(int dir) {
  unique_fd events{::openat(dir, "cgroup.events", O_RDONLY | O_CLOEXEC)};
  auto deadline = std::chrono::steady_clock::now() + cgroup_removal_bound;
  while (events && is_populated(events.get())) {
    auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
      deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0)
      return;
    pollfd changed{events.get(), POLLPRI, 0};
    ::poll(&changed, 1, static_cast<int>(left.count()));
  }
}

/// Those in a cgroup, which have no more below them once they are empty.
void remove_children(int dir) {
  auto names = list_dir(dir);
  for (const auto& name : names ? *names : std::vector<std::string>{})
    ::unlinkat(dir, name.c_str(), AT_REMOVEDIR); // Fails for files.
}

/// With all that is in it, which is empty by then two levels down at most.
result<void> remove_cgroup(int parent, const std::string& name) {
  if (::unlinkat(parent, name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT)
    return {};
  if (errno != EBUSY)
    return last_failure("cgroup " + in_quotes(name));
  unique_fd dir{::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
  if (!dir || !write_file(dir.get(), "cgroup.kill", "1"))
    return last_failure("cgroup " + in_quotes(name) + ": what is in it can't be killed");
  wait_until_empty(dir.get());
  remove_children(dir.get());
  if (::unlinkat(parent, name.c_str(), AT_REMOVEDIR) != 0)
    return last_failure("cgroup " + in_quotes(name));
  return {};
}

// -- the tree
// --------------------------------------------------------------------------------------

/// Of a name that is a prefix and a CID; else no_cid.
vm_cid cid_of(const std::string& name, std::string_view before) {
  vm_cid cid = no_cid;
  auto* end = name.data() + name.size();
  if (!name.starts_with(before))
    return no_cid;
  auto parsed = std::from_chars(name.data() + before.size(), end, cid);
  return parsed.ec == std::errc{} && parsed.ptr == end ? cid : no_cid;
}

void remove_stale(int dir) {
  auto names = list_dir(dir);
  if (!names)
    return log::warn("cgroup can't be listed: {}", names.why().what);
  for (const auto& name : *names) {
    if (cid_of(name, prefix) == no_cid)
      continue;
    if (auto removed = remove_cgroup(dir, name); !removed)
      log::warn("cgroup of an earlier process stays: {}", removed.why().what);
    else
      log::info("cgroup \"{}\" of an earlier process was removed", name);
  }
}

result<void> leave(int dir) {
  if (!has_word(read_file(dir, "cgroup.procs"), std::to_string(::getpid())))
    return {};
  if (::mkdirat(dir, service_name, 0755) != 0 && errno != EEXIST)
    return last_failure("cgroup \"service\"");
  unique_fd own{::openat(dir, service_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
  if (!own || !write_file(own.get(), "cgroup.procs", "0"))
    return last_failure("cgroup \"service\": this process can't move there");
  return {};
}

void hand_down_controllers(int dir) {
  auto present = read_file(dir, "cgroup.controllers");
  for (const auto* name : {"memory", "pids"})
    if (has_word(present, name)
        && !write_file(dir, "cgroup.subtree_control", std::string{"+"} + name))
      log::warn("cgroups of vms have no controller {}: {}", name, std::strerror(errno));
}

void limit(int dir, const char* file, const std::string& value) {
  if (!write_file(dir, file, value) && errno != ENOENT)
    log::warn("cgroup of a vm keeps its {}: {}", file, std::strerror(errno));
}

} // namespace

vm_cgroup::vm_cgroup(std::shared_ptr<const unique_fd> parent, std::string name, unique_fd procs)
    : parent_(std::move(parent)), name_(std::move(name)), procs_(std::move(procs)) {}

vm_cgroup::~vm_cgroup() {
  if (auto removed = remove_cgroup(parent_->get(), name_); !removed)
    log::warn("cgroup of a vm stays: {}", removed.why().what);
}

cgroup_tree::cgroup_tree(unique_fd dir, std::string path)
    : dir_(std::make_shared<const unique_fd>(std::move(dir))), path_(std::move(path)) {}

result<std::shared_ptr<cgroup_tree>> cgroup_tree::open(const std::string& path) {
  auto what = "cgroup " + in_quotes(path);
  unique_fd dir{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  struct statfs is;
  if (!dir || ::fstatfs(dir.get(), &is) != 0)
    return last_failure(what);
  if (is.f_type != CGROUP2_SUPER_MAGIC)
    return failure{0, what + " is none of version 2; name a directory below a mount of cgroup2"};
  if (::flock(dir.get(), LOCK_EX | LOCK_NB) != 0)
    return errno == EWOULDBLOCK ? failure{EBUSY, what + " is in use by another process"}
                                : last_failure(what);
  if (auto left = leave(dir.get()); !left)
    return failure{left.why().code, what + ": " + left.why().what};
  hand_down_controllers(dir.get());
  remove_stale(dir.get());
  return std::make_shared<cgroup_tree>(std::move(dir), path);
}

namespace {

struct made_cgroup {
  unique_fd self;
  unique_fd procs;
};

/// Instead of what is there already, which is killed.
result<made_cgroup> make_cgroup(int parent, const std::string& name) {
  auto what = "cgroup " + in_quotes(name);
  auto made = ::mkdirat(parent, name.c_str(), 0755) == 0;
  if (!made && errno == EEXIST) {
    if (auto removed = remove_cgroup(parent, name); !removed)
      return removed.why();
    made = ::mkdirat(parent, name.c_str(), 0755) == 0;
  }
  if (!made)
    return last_failure(what);
  unique_fd self{::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  unique_fd procs{self ? ::openat(self.get(), "cgroup.procs", O_WRONLY | O_CLOEXEC) : -1};
  if (!procs) {
    auto why = last_failure(what);
    ::unlinkat(parent, name.c_str(), AT_REMOVEDIR);
    return why;
  }
  return made_cgroup{std::move(self), std::move(procs)};
}

std::string keeper_name(vm_cid cid) {
  return std::string{keeper_prefix} + std::to_string(cid);
}

std::string last_keeper_name(vm_cid cid) {
  return keeper_name(cid).append(last_suffix);
}

/// Those that are in it when this is called.
bool move_processes(int from, int to) {
  std::istringstream numbers{read_file(from, "cgroup.procs")};
  for (std::string number; numbers >> number;)
    if (!write_file(to, "cgroup.procs", number) && errno != ESRCH)
      return false;
  return true;
}

} // namespace

result<std::unique_ptr<vm_cgroup>> cgroup_tree::make(vm_cid cid) {
  auto name = std::string{prefix} + std::to_string(cid);
  auto made = make_cgroup(dir_->get(), name);
  if (!made)
    return made.why();
  limit(made->self.get(), "pids.max", std::to_string(max_vmm_threads));
  limit(made->self.get(), "memory.oom.group", "1");
  return std::make_unique<vm_cgroup>(dir_, std::move(name), std::move(made->procs));
}

result<unique_fd> cgroup_tree::make_keeper(vm_cid cid) {
  auto made = make_cgroup(dir_->get(), keeper_name(cid));
  if (!made)
    return made.why();
  return std::move(made->procs);
}

result<void> cgroup_tree::put_keeper_aside(vm_cid cid) {
  auto name = keeper_name(cid), aside = last_keeper_name(cid);
  unique_fd from{::openat(dir_->get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!from)
    return errno == ENOENT ? result<void>{} : last_failure("cgroup " + in_quotes(name));
  if (::mkdirat(dir_->get(), aside.c_str(), 0755) != 0 && errno != EEXIST)
    return last_failure("cgroup " + in_quotes(aside));
  unique_fd to{::openat(dir_->get(), aside.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  unique_fd service{::openat(from.get(), service_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  for (auto dir : {from.get(), service.get()})
    if (dir >= 0 && to && !move_processes(dir, to.get()))
      return last_failure("cgroup " + in_quotes(aside) + ": a keeper can't be moved there");
  return remove_cgroup(dir_->get(), name);
}

result<void> cgroup_tree::remove_keeper(vm_cid cid) {
  return remove_cgroup(dir_->get(), keeper_name(cid));
}

result<void> cgroup_tree::remove_last_keeper(vm_cid cid) {
  return remove_cgroup(dir_->get(), last_keeper_name(cid));
}

std::string cgroup_tree::keeper_path(vm_cid cid) const {
  return path_ + "/" + keeper_name(cid);
}

std::vector<vm_cid> cgroup_tree::keepers() const {
  std::vector<vm_cid> cids;
  auto names = list_dir(dir_->get());
  for (auto& name : names ? *names : std::vector<std::string>{}) {
    if (name.ends_with(last_suffix))
      name.resize(name.size() - last_suffix.size());
    if (auto cid = cid_of(name, keeper_prefix); cid != no_cid)
      cids.push_back(cid);
  }
  return cids;
}

} // namespace crosvisor::io
