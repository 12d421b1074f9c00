// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/runtime_dir.hpp"

#include "crosvisor/io/logging.hpp"
#include "crosvisor/io/private_dir.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace crosvisor::io {

namespace {

constexpr char lock_name[] = ".lock";

// What the lock's holder wrote into it: its process id, for people.
std::string holder_of(int lock) {
  char text[16] = {};
  auto got = ::pread(lock, text, sizeof(text) - 1, 0);
  auto pid = got > 0 ? std::string(text, static_cast<std::size_t>(got)) : std::string{};
  while (!pid.empty() && (pid.back() < '0' || pid.back() > '9'))
    pid.pop_back();
  return pid.empty() ? "another process" : "process " + pid;
}

result<unique_fd> take_lock(int dir, const std::string& path) {
  auto flags = O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
  unique_fd lock{::openat(dir, lock_name, flags, 0600)};
  if (!lock)
    return last_failure("lock of \"" + path + "\"");
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK)
      return last_failure("lock of \"" + path + "\"");
    return failure{EBUSY,
                   "runtime directory \"" + path + "\" is in use by " + holder_of(lock.get())};
  }
  auto pid = std::to_string(::getpid()) + "\n";
  // For people alone: nobody is stopped by what it says.
  if (::ftruncate(lock.get(), 0) != 0 || ::pwrite(lock.get(), pid.data(), pid.size(), 0) < 0)
    log::debug("lock of \"{}\" can't be written", path);
  return lock;
}

void clear_stale(int dir, const std::string& path) {
  auto names = list_dir(dir);
  if (!names)
    return log::warn("runtime directory \"{}\" can't be listed: {}", path, names.why().what);
  for (auto& name : *names) {
    if (name == lock_name)
      continue;
    if (auto removed = remove_tree(dir, name); !removed)
      log::warn("runtime directory \"{}\" keeps \"{}\" of an earlier process: {}", path, name,
                removed.why().what);
    else
      log::info("runtime directory \"{}\" lost \"{}\" of an earlier process", path, name);
  }
}

class locked_root final : public runtime_root {
public:
  locked_root(unique_fd dir, unique_fd lock, std::string path) : path_(std::move(path)) {
    // The directory's descriptor and the lock go together, when the last VM's directory has gone.
    struct held {
      unique_fd dir, lock;
    };
    auto both = std::make_shared<held>(held{std::move(dir), std::move(lock)});
    dir_ = std::shared_ptr<const unique_fd>(both, &both->dir);
  }

  result<std::unique_ptr<runtime_dir>> make(const std::string& name) override {
    auto path = path_ + "/" + name;
    auto what = "runtime directory \"" + path + "\"";
    if (name.empty() || name.front() == '.' || name.find('/') != std::string::npos)
      return failure{EINVAL, what + ": not a name"};
    if (::mkdirat(dir_->get(), name.c_str(), 0700) != 0)
      return last_failure(what);
    auto flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    unique_fd self{::openat(dir_->get(), name.c_str(), flags)};
    if (!self || ::fchmod(self.get(), 0700) != 0) {
      auto why = last_failure(what);
      ::unlinkat(dir_->get(), name.c_str(), AT_REMOVEDIR);
      return why;
    }
    return std::make_unique<runtime_dir>(dir_, std::move(self), name, std::move(path));
  }

  const std::string& path() const noexcept override { return path_; }

private:
  std::shared_ptr<const unique_fd> dir_;
  std::string path_;
};

} // namespace

runtime_dir::runtime_dir(std::shared_ptr<const unique_fd> parent, unique_fd self, std::string name,
                         std::string path)
    : parent_(std::move(parent)),
      self_(std::move(self)),
      name_(std::move(name)),
      path_(std::move(path)) {}

runtime_dir::~runtime_dir() {
  auto emptied = empty_dir(self_.get());
  // Whatever has the name now is removed only if it is an empty directory.
  if (::unlinkat(parent_->get(), name_.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT && emptied)
    emptied = last_failure(name_);
  if (!emptied)
    log::warn("runtime directory \"{}\" can't be removed: {}", path_, emptied.why().what);
}

result<std::shared_ptr<runtime_root>> runtime_root::open(const std::string& path) {
  auto dir = open_private_dir(path);
  if (!dir)
    return dir.why();
  auto lock = take_lock(dir->get(), path);
  if (!lock)
    return lock.why();
  clear_stale(dir->get(), path);
  std::shared_ptr<runtime_root> root =
    std::make_shared<locked_root>(std::move(*dir), std::move(*lock), path);
  return root;
}

} // namespace crosvisor::io
