// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/process_dir.hpp"

#include "crosvisor/io/logging.hpp"
#include "crosvisor/io/private_dir.hpp"
#include "crosvisor/io/timed_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <string_view>

namespace crosvisor {

namespace {

constexpr std::string_view prefix = "run-";

/// Holds the lock on the shared directory. Others hold it for as long as it takes to make or remove
/// a few files, so that whoever waits for longer waits for a process that was stopped.
class shared_lock {
public:
  explicit shared_lock(int dir) : dir_(dir), held_(io::lock_within(dir, std::chrono::seconds{5})) {}
  shared_lock(const shared_lock&) = delete;
  shared_lock& operator=(const shared_lock&) = delete;
  ~shared_lock() { ::flock(dir_, LOCK_UN); }

  explicit operator bool() const noexcept { return held_; }

private:
  int dir_;
  bool held_;
};

io::unique_fd open_folder(int parent, const std::string& name) {
  return io::unique_fd{
    ::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
}

bool try_lock(int folder) {
  return ::flock(folder, LOCK_EX | LOCK_NB) == 0;
}

/// Removes the folders whose owners have ended.
void remove_stale(int parent, const std::string& path) {
  auto names = io::list_dir(parent);
  if (!names)
    return;
  for (const auto& name : *names) {
    if (!name.starts_with(prefix))
      continue;
    auto folder = open_folder(parent, name);
    if (!folder || !try_lock(folder.get()))
      continue;
    if (auto removed = io::remove_tree(parent, name); !removed) {
      log::warn("folder \"{}/{}\" of a process that has ended can't be removed: {}", path, name,
                removed.why().what);
    }
  }
}

/// A name that is free; a process in another namespace may have the same number.
io::result<std::string> make_folder(int parent, const std::string& path) {
  constexpr int most = 100;
  auto name = std::string{prefix} + std::to_string(::getpid());
  auto candidate = name;
  for (int i = 2; i < most; ++i) {
    if (::mkdirat(parent, candidate.c_str(), 0700) == 0)
      return candidate;
    if (errno != EEXIST)
      break;
    candidate = name + '-' + std::to_string(i);
  }
  return io::last_failure("directory \"" + path + '/' + candidate + '"');
}

} // namespace

io::result<process_dir> process_dir::make(const std::string& parent_path) {
  auto parent = io::open_private_dir(parent_path);
  if (!parent)
    return parent.why();
  shared_lock lock{parent->get()};
  if (!lock)
    return io::failure{EBUSY, "directory \"" + parent_path + "\" is locked by another process"};
  remove_stale(parent->get(), parent_path);
  auto name = make_folder(parent->get(), parent_path);
  if (!name)
    return name.why();
  auto path = parent_path + '/' + *name;
  auto self = open_folder(parent->get(), *name);
  if (!self || !try_lock(self.get()) || ::fchmod(self.get(), 0700) != 0) {
    auto why = io::last_failure("directory \"" + path + '"');
    ::unlinkat(parent->get(), name->c_str(), AT_REMOVEDIR);
    return why;
  }
  return process_dir{std::move(*parent), std::move(self), *name, std::move(path)};
}

process_dir::~process_dir() {
  if (!parent_)
    return;
  shared_lock lock{parent_.get()};
  if (!lock)
    return; // Whoever comes next removes it.
  if (auto removed = io::remove_tree(parent_.get(), name_); !removed)
    log::warn("folder \"{}\" can't be removed: {}", path_, removed.why().what);
}

} // namespace crosvisor
