// SPDX-License-Identifier: Apache-2.0
// How images come into the store.
#include "crosvisor/io/config/printable.hpp"
#include "crosvisor/io/failpoint.hpp"
#include "crosvisor/io/file_bytes.hpp"
#include "crosvisor/io/images/file_image_store.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>

namespace crosvisor::io {

namespace {

/// What was written is given to the disk after so many bytes, so that little is left at the end.
constexpr std::uint64_t flushed_at_once = 8u << 20;

constexpr std::chrono::minutes sweep_interval{10};

failure no_such_upload() {
  return {ENOENT, "there is no such upload any more; begin it again"};
}

std::string called(const std::string& name) {
  return "image " + in_quotes(name);
}

std::int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
           std::chrono::system_clock::now().time_since_epoch())
    .count();
}

} // namespace

// -- one after the other ------------------------------------------------------

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
  if (swept_ != decltype(swept_){} && now - swept_ < std::min<std::chrono::seconds>(
                                        sweep_interval, bounds_.upload_age))
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

// -- begin --------------------------------------------------------------------

void file_image_store::begin(const caller& who, image_upload wanted,
                             completion<upload_place> done) {
  run_([this, owner = to_string(who), wanted = std::move(wanted), done = std::move(done)] {
    begin_now(owner, wanted, done);
  });
}

void file_image_store::begin_now(const std::string& owner, const image_upload& wanted,
                                 const completion<upload_place>& done) {
  if (auto problem = find_problem(wanted))
    return done(failure{EINVAL, std::move(*problem)});
  image_record record{wanted.name, wanted.size_bytes, wanted.sha256, 0};
  upload_ptr next;
  {
    std::lock_guard guard{files_};
    remove_old();
    auto there = find(owner, wanted.name);
    if (there && there->size_bytes == wanted.size_bytes && there->sha256 == wanted.sha256)
      return done(upload_place{0, wanted.size_bytes, true});
    {
      std::lock_guard state{state_};
      auto i = uploads_.find({owner, wanted.name});
      if (i != uploads_.end() && i->second->is_made)
        return done(failure{EBUSY, called(wanted.name) + " is being made"});
      if (auto room = index_.reserve(owner, record); !room)
        return done(room.why());
    }
    next = upload_of(owner, wanted.name);
    close_unused();
  }
  enqueue(next, [this, next, record = std::move(record), done] {
    // It has become an image, or was removed, before its turn came.
    if (next->gone)
      return begin_now(next->owner, {record.name, record.size_bytes, record.sha256}, done);
    open_or_begin(next, record, done);
  });
}

void file_image_store::open_or_begin(const upload_ptr& of, const image_record& wanted,
                                     const completion<upload_place>& done) {
  auto is_same =
    of->wanted.size_bytes == wanted.size_bytes && of->wanted.sha256 == wanted.sha256;
  if (!of->data || !is_same) {
    auto folder = folder_of(of->owner);
    auto opened = folder ? resume(*of, *folder, wanted) : result<void>{folder.why()};
    if (folder && !opened)
      opened = begin_anew(*of, *folder, wanted);
    if (!opened) {
      if (folder)
        (void)drop(*of, *folder);
      return done(failure{opened.why().code == ENOSPC ? ENOSPC : EIO, opened.why().what});
    }
    of->wanted = wanted;
  }
  std::unique_lock guard{state_};
  by_id_.erase(of->id);
  of->id = ++last_id_;
  by_id_[of->id] = of;
  upload_place place{of->id, of->offset, false};
  guard.unlock();
  done(place);
}

/// Goes on with what is on disk.
result<void> file_image_store::resume(upload& of, const image_folder& folder,
                                      const image_record& wanted) {
  auto data = folder.open_upload(wanted);
  if (!data)
    return data.why();
  struct stat is;
  if (::fstat(data->get(), &is) != 0)
    return last_failure(called(of.name));
  auto size = static_cast<std::uint64_t>(is.st_size);
  sha256 digest;
  if (size > wanted.size_bytes)
    return failure{EINVAL, called(of.name) + " is longer than it may be"};
  if (auto added = add_file(digest, data->get(), size); !added)
    return added;
  of.data = std::move(*data);
  of.digest = std::move(digest);
  of.offset = size;
  return {};
}

result<void> file_image_store::begin_anew(upload& of, const image_folder& folder,
                                          const image_record& wanted) {
  of.data.reset();
  auto data = folder.begin_upload(wanted);
  if (!data)
    return data.why();
  of.data = std::move(*data);
  of.digest = sha256{};
  of.offset = 0;
  return {};
}

// -- put ----------------------------------------------------------------------

void file_image_store::put(const caller& who, image_piece piece, completion<std::uint64_t> done) {
  std::unique_lock guard{state_};
  auto of = find_upload(to_string(who), piece.upload);
  std::optional<failure> why;
  if (!of)
    why = no_such_upload();
  else if (of->pieces >= max_waiting_pieces || pieces_ >= max_waiting_pieces_in_all)
    why = failure{EAGAIN, "too many pieces of images wait; at most "
                            + std::to_string(image_pieces_under_way) + " are to be under way"};
  if (why) {
    guard.unlock();
    return done(std::move(*why));
  }
  ++of->pieces;
  ++pieces_;
  guard.unlock();
  enqueue(of, [this, of, piece = std::make_shared<image_piece>(std::move(piece)),
               done = std::move(done)] {
    auto put = put_now(*of, *piece);
    {
      std::lock_guard state{state_};
      --of->pieces;
      --pieces_;
    }
    done(put);
  });
}

result<std::uint64_t> file_image_store::put_now(upload& of, const image_piece& piece) {
  if (of.gone || of.id != piece.upload)
    return no_such_upload();
  auto refuse = [&](const std::string& what) {
    return failure{EINVAL, called(of.name) + ": " + what};
  };
  auto size = piece.bytes.size();
  if (piece.offset != of.offset)
    return refuse("a piece at " + std::to_string(piece.offset) + "; the next one is expected at "
                  + std::to_string(of.offset));
  if (size == 0 || size > max_image_piece_bytes)
    return refuse("a piece of " + std::to_string(size) + " bytes; allowed are 1 to "
                  + std::to_string(max_image_piece_bytes));
  if (size > of.wanted.size_bytes - of.offset)
    return refuse("a piece of " + std::to_string(size) + " bytes; only "
                  + std::to_string(of.wanted.size_bytes - of.offset) + " are missing");
  auto why = injected(failpoint::put_piece);
  auto written = why ? result<void>{*why} : write_at(of.data.get(), of.offset, piece.bytes);
  if (!written) {
    // Whoever goes on finds what is there, and need not find a part of a piece.
    (void)!::ftruncate(of.data.get(), static_cast<off_t>(of.offset));
    forget(of);
    return failure{written.why().code == ENOSPC ? ENOSPC : EIO,
                   called(of.name) + ": " + written.why().what};
  }
  of.digest.add(piece.bytes);
  auto before = of.offset / flushed_at_once;
  of.offset += size;
  if (of.offset / flushed_at_once != before)
    ::sync_file_range(of.data.get(), static_cast<off_t>(before * flushed_at_once),
                      static_cast<off_t>(flushed_at_once), SYNC_FILE_RANGE_WRITE);
  return of.offset;
}

// -- finish -------------------------------------------------------------------

void file_image_store::finish(const caller& who, std::uint64_t id, completion<image_info> done) {
  std::unique_lock guard{state_};
  auto of = find_upload(to_string(who), id);
  guard.unlock();
  if (!of)
    return done(no_such_upload());
  enqueue(of, [this, of, id, done = std::move(done)] { done(finish_now(*of, id)); });
}

result<image_info> file_image_store::finish_now(upload& of, std::uint64_t id) {
  if (of.gone || of.id != id || !of.data)
    return no_such_upload();
  if (of.offset != of.wanted.size_bytes)
    return failure{EINVAL, called(of.name) + " is not whole: "
                             + std::to_string(of.wanted.size_bytes - of.offset) + " of "
                             + std::to_string(of.wanted.size_bytes) + " bytes are missing"};
  auto folder = folder_of(of.owner);
  if (!folder)
    return failure{EIO, folder.why().what};
  auto sum = of.digest.digits();
  if (sum == of.wanted.sha256)
    return keep(of, *folder);
  (void)drop(of, *folder);
  return failure{EBADMSG, called(of.name) + " was removed: its bytes have the checksum " + sum
                            + ", and " + of.wanted.sha256 + " was said"};
}

result<image_info> file_image_store::keep(upload& of, const image_folder& folder) {
  auto record = of.wanted;
  record.stored_ms = now_ms();
  std::lock_guard guard{files_};
  if (auto kept = folder.finish_upload(record, of.data.get()); !kept) {
    // It is to be begun anew, from what is on disk: its digest is used up.
    forget(of);
    return failure{kept.why().code == ENOSPC ? ENOSPC : EIO, kept.why().what};
  }
  {
    std::lock_guard state{state_};
    index_.store(of.owner, record);
  }
  forget(of);
  return info_of(of.owner, record);
}

// -- made here ----------------------------------------------------------------

void file_image_store::make(const caller& who, std::string name, std::uint64_t size,
                            completion<unique_fd> done) {
  run_([this, owner = to_string(who), name = std::move(name), size, done = std::move(done)] {
    if (!valid_image_name(name))
      return done(failure{EINVAL, called(name) + ": is no name of an image"});
    image_record record{name, size, {}, 0};
    std::lock_guard guard{files_};
    remove_old();
    {
      std::lock_guard state{state_};
      if (index_.find_upload(owner, name) != nullptr)
        return done(failure{EBUSY, called(name) + " is being made or uploaded"});
      if (auto room = index_.reserve(owner, record); !room)
        return done(room.why());
    }
    auto of = upload_of(owner, name);
    of->is_made = true;
    auto folder = folder_of(owner);
    auto begun = folder ? begin_anew(*of, *folder, record) : result<void>{folder.why()};
    unique_fd copy{begun ? ::fcntl(of->data.get(), F_DUPFD_CLOEXEC, 3) : -1};
    if (copy)
      return done(std::move(copy));
    auto why = begun ? last_failure(called(name)) : begun.why();
    if (folder)
      (void)drop(*of, *folder);
    done(failure{why.code == ENOSPC ? ENOSPC : EIO, why.what});
  });
}

void file_image_store::end_making(const caller& who, std::string name, bool keep,
                                  completion<std::monostate> done) {
  run_([this, owner = to_string(who), name = std::move(name), keep, done = std::move(done)] {
    auto of = upload_of(owner, name);
    auto folder = folder_of(owner);
    if (!of || !of->is_made || !folder)
      return done(no_such_image(name));
    struct stat is;
    image_record record{name, 0, {}, now_ms()};
    std::lock_guard guard{files_};
    auto kept = result<void>{};
    if (keep && ::fstat(of->data.get(), &is) == 0) {
      record.size_bytes = static_cast<std::uint64_t>(is.st_size);
      kept = folder->finish_upload(record, of->data.get());
    }
    if (!keep || !kept) {
      (void)drop(*of, *folder);
      return done(kept ? result<std::monostate>{std::monostate{}}
                       : failure{EIO, kept.why().what});
    }
    {
      std::lock_guard state{state_};
      index_.store(owner, record);
    }
    forget(*of);
    done(std::monostate{});
  });
}

} // namespace crosvisor::io
