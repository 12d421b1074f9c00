// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/log/log_store.hpp"

#include "crosvisor/io/folder_lock.hpp"
#include "crosvisor/io/logging.hpp"
#include "crosvisor/io/private_dir.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

namespace crosvisor::io {

namespace {

unique_fd open_dir(int parent, const std::string& name) {
  auto flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  return unique_fd{::openat(parent, name.c_str(), flags)};
}

// What is in `dir`, the longest unchanged first.
std::deque<std::string> by_age(int dir) {
  auto names = list_dir(dir);
  std::vector<std::pair<std::pair<time_t, long>, std::string>> aged;
  if (names)
    for (auto& name : *names) {
      struct stat is;
      if (::fstatat(dir, name.c_str(), &is, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(is.st_mode))
        aged.push_back({{is.st_mtim.tv_sec, is.st_mtim.tv_nsec}, name});
    }
  std::sort(aged.begin(), aged.end());
  std::deque<std::string> sorted;
  for (auto& entry : aged)
    sorted.push_back(std::move(entry.second));
  return sorted;
}

} // namespace

std::string log_dir_name(vm_cid cid, const vm_name& name) {
  return std::to_string(cid) + "-" + name;
}

result<std::unique_ptr<log_store>> log_store::open(const std::string& state_dir, std::size_t kept,
                                                   std::shared_ptr<log_store_use> use) {
  auto state = open_private_dir(state_dir);
  if (!state)
    return state.why();
  auto path = state_dir + "/logs";
  auto dir = open_private_dir_at(state->get(), "logs", path);
  if (!dir)
    return dir.why();
  return std::make_unique<log_store>(std::move(*dir), std::move(path), kept, std::move(use));
}

log_store::log_store(unique_fd dir, std::string path, std::size_t kept,
                     std::shared_ptr<log_store_use> use)
    : dir_(std::move(dir)), path_(std::move(path)), kept_(kept), use_(std::move(use)) {
  if (kept == keep_all)
    return;
  for (auto& name : by_age(dir_.get()))
    if (auto folder = open_dir(dir_.get(), name); !folder || !is_folder_locked(folder.get()))
      retired_.push_back(std::move(name));
  forget_oldest();
}

result<log_dir> log_store::make(vm_cid cid, const vm_name& name) {
  log_dir made{log_dir_name(cid, name), nullptr};
  auto path = path_ + "/" + made.name;
  {
    std::lock_guard lock{mutex_};
    retired_.erase(std::remove(retired_.begin(), retired_.end(), made.name), retired_.end());
    tell_use();
  }
  auto dir = open_private_dir_at(dir_.get(), made.name, path);
  if (!dir)
    return dir.why();
  if (!lock_folder(dir->get())) {
    if (errno == EWOULDBLOCK)
      return failure{EBUSY, "log directory \"" + path + "\" is in use by another service"};
    return last_failure("log directory \"" + path + "\"");
  }
  if (auto emptied = empty_dir(dir->get()); !emptied)
    return failure{emptied.why().code, "log directory \"" + path + "\": " + emptied.why().what};
  made.fd = std::make_shared<const unique_fd>(std::move(*dir));
  return made;
}

void log_store::discard(const std::string& name) {
  ::unlinkat(dir_.get(), name.c_str(), AT_REMOVEDIR);
}

void log_store::retire(std::string name) {
  std::lock_guard lock{mutex_};
  if (kept_ == keep_all)
    return;
  retired_.erase(std::remove(retired_.begin(), retired_.end(), name), retired_.end());
  retired_.push_back(std::move(name));
  forget_oldest();
}

bool log_store::remove_unless_locked(const std::string& name) {
  auto dir = open_dir(dir_.get(), name);
  if (dir && !lock_folder(dir.get()))
    return false;
  if (auto removed = remove_tree(dir_.get(), name); !removed)
    log::warn("logs \"{}/{}\" can't be removed: {}", path_, name, removed.why().what);
  return true;
}

// With the mutex held, or before anybody else knows of us.
void log_store::forget_oldest() {
  while (retired_.size() > kept_) {
    if (!remove_unless_locked(retired_.front()))
      log::debug("logs \"{}/{}\" stay: another service writes them", path_, retired_.front());
    else if (use_)
      ++use_->removed;
    retired_.pop_front();
  }
  tell_use();
}

// With the mutex held, too.
void log_store::tell_use() {
  if (use_)
    use_->kept = retired_.size();
}

} // namespace crosvisor::io
