// SPDX-License-Identifier: Apache-2.0
// What is done with uploads one after the other, and when they end.
#include "crosvisor/io/images/file_image_store.hpp"

#include <algorithm>
#include <ctime>

namespace crosvisor::io {

namespace {

constexpr std::chrono::minutes sweep_interval{10};

} // namespace

void file_image_store::enqueue(const upload_ptr& of, task what) {
  {
    std::lock_guard guard{state_};
    of->waiting.push_back(std::move(what));
    of->used = std::chrono::steady_clock::now();
    if (std::exchange(of->running, true))
      return;
  }
  run_([this, of] { work_off(of); });
}

void file_image_store::work_off(const upload_ptr& of) {
  for (;;) {
    task next;
    {
      std::lock_guard guard{state_};
      if (of->waiting.empty()) {
        of->running = false;
        return;
      }
      next = std::move(of->waiting.front());
      of->waiting.pop_front();
    }
    next();
  }
}

/// The one that is worked on, or a new one for one that is on disk; null: there is none.
file_image_store::upload_ptr file_image_store::upload_of(const std::string& owner,
                                                         const std::string& name) {
  std::lock_guard guard{state_};
  if (index_.find_upload(owner, name) == nullptr)
    return nullptr;
  auto& there = uploads_[{owner, name}];
  if (!there) {
    there = std::make_shared<upload>(owner, name);
    there->used = std::chrono::steady_clock::now();
  }
  return there;
}

file_image_store::upload_ptr file_image_store::find_upload(const std::string& owner,
                                                           std::uint64_t id) {
  auto i = by_id_.find(id);
  return i == by_id_.end() || i->second->owner != owner ? nullptr : i->second;
}

/// It is worked on no more: who goes on with what is on disk begins it anew.
void file_image_store::forget(upload& of) {
  of.gone = true;
  of.data.reset();
  std::lock_guard guard{state_};
  by_id_.erase(of.id);
  uploads_.erase({of.owner, of.name});
}

result<void> file_image_store::drop(upload& of, const image_folder& folder) {
  auto removed = folder.remove_upload(of.name);
  {
    std::lock_guard guard{state_};
    index_.remove_upload(of.owner, of.name);
  }
  forget(of);
  return removed;
}

/// Where too many are open, closes those that nobody uses, with files_ held.
void file_image_store::close_unused() {
  std::lock_guard guard{state_};
  while (uploads_.size() > max_open_uploads) {
    auto oldest = uploads_.end();
    for (auto i = uploads_.begin(); i != uploads_.end(); ++i)
      if (!i->second->running && !i->second->is_made
          && (oldest == uploads_.end() || i->second->used < oldest->second->used))
        oldest = i;
    if (oldest == uploads_.end())
      return;
    by_id_.erase(oldest->second->id);
    uploads_.erase(oldest);
  }
}

/// Removes uploads with which nobody goes on, now and then, with files_ held.
void file_image_store::remove_old() {
  auto now = std::chrono::steady_clock::now();
  if (swept_ != decltype(swept_){}
      && now - swept_ < std::min<std::chrono::seconds>(sweep_interval, bounds_.upload_age))
    return;
  swept_ = now;
  std::vector<image_index::entry> there;
  {
    std::lock_guard guard{state_};
    there = index_.uploads();
  }
  auto oldest = static_cast<std::int64_t>(std::time(nullptr)) - bounds_.upload_age.count();
  for (const auto& [owner, record] : there) {
    auto folder = folder_of(owner);
    if (!folder || folder->upload_written_s(record.name) > oldest)
      continue;
    std::unique_lock guard{state_};
    auto i = uploads_.find({owner, record.name});
    if (i != uploads_.end() && (i->second->running || i->second->is_made))
      continue;
    if (i != uploads_.end()) {
      by_id_.erase(i->second->id);
      uploads_.erase(i);
    }
    index_.remove_upload(owner, record.name);
    guard.unlock();
    (void)folder->remove_upload(record.name);
  }
}

} // namespace crosvisor::io
