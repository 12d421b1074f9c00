// SPDX-License-Identifier: Apache-2.0
// What this process holds: to see that nothing is left behind.
#pragma once

#include <dirent.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <fstream>
#include <functional>
#include <future>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace crosvisor::tests {

/// How long a test waits for something that must happen.
inline constexpr std::chrono::seconds patience{20};

/// Every open descriptor with what it is open on.
inline std::map<int, std::string> open_descriptors() {
  std::map<int, std::string> found;
  auto* dir = ::opendir("/proc/self/fd");
  while (auto* entry = ::readdir(dir)) {
    auto number = std::atoi(entry->d_name);
    if (entry->d_name[0] == '.' || number == ::dirfd(dir))
      continue;
    char target[512] = {};
    auto path = std::string{"/proc/self/fd/"} + entry->d_name;
    if (::readlink(path.c_str(), target, sizeof(target) - 1) > 0)
      found[number] = target;
  }
  ::closedir(dir);
  return found;
}

/// The children of this process, zombies included.
inline std::vector<int> child_pids() {
  std::vector<int> pids;
  auto* dir = ::opendir("/proc/self/task");
  while (auto* entry = ::readdir(dir)) {
    std::ifstream list{std::string{"/proc/self/task/"} + entry->d_name + "/children"};
    for (int pid = 0; list >> pid;)
      pids.push_back(pid);
  }
  ::closedir(dir);
  std::sort(pids.begin(), pids.end());
  return pids;
}

/// Asks until it is so, or patience ends.
inline bool becomes(const std::function<bool()>& what) {
  auto end = std::chrono::steady_clock::now() + patience;
  while (!what()) {
    if (std::chrono::steady_clock::now() > end)
      return false;
    std::this_thread::yield();
  }
  return true;
}

/// What was there at first; compare with what is there in the end.
struct holdings {
  std::map<int, std::string> descriptors = open_descriptors();
  std::vector<int> children = child_pids();
  bool operator==(const holdings&) const = default;
};

inline std::string to_string(const holdings& held) {
  std::string text = "children:";
  for (auto pid : held.children)
    text += " " + std::to_string(pid);
  text += "; descriptors:";
  for (auto& [number, target] : held.descriptors)
    text += " " + std::to_string(number) + "=" + target;
  return text;
}

/// Lets this process open `more` descriptors and no more, while it lives.
class descriptor_limit {
public:
  explicit descriptor_limit(rlim_t more) {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    auto now = before_;
    // The lowest free numbers count, not how many are open.
    rlim_t limit = 0;
    for (auto held = open_descriptors(); more > 0; ++limit)
      more -= held.count(static_cast<int>(limit)) == 0 ? 1 : 0;
    now.rlim_cur = limit;
    ::setrlimit(RLIMIT_NOFILE, &now);
  }
  descriptor_limit(const descriptor_limit&) = delete;
  descriptor_limit& operator=(const descriptor_limit&) = delete;
  ~descriptor_limit() { ::setrlimit(RLIMIT_NOFILE, &before_); }

private:
  rlimit before_;
};

/// Collects what callbacks report, and waits for it.
template <class T>
class mailbox {
public:
  void put(T value) {
    std::lock_guard lock{mutex_};
    values_.push_back(std::move(value));
    wake_.notify_all();
  }

  /// Everything, once there are `count`, or what there is when patience ends.
  std::vector<T> wait(std::size_t count) {
    return wait_for([count](auto& values) { return values.size() >= count; });
  }

  /// Everything, once `enough` says so of it, or when patience ends.
  template <class Predicate>
  std::vector<T> wait_for(Predicate enough) {
    std::unique_lock lock{mutex_};
    wake_.wait_for(lock, patience, [&] { return enough(values_); });
    return values_;
  }

  void clear() {
    std::lock_guard lock{mutex_};
    values_.clear();
  }

private:
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<T> values_;
};

} // namespace crosvisor::tests
