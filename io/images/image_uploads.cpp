// SPDX-License-Identifier: Apache-2.0
// How images come into the store.
#include "crosvisor/io/failpoint.hpp"
#include "crosvisor/io/file_bytes.hpp"
#include "crosvisor/io/images/file_image_store.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace crosvisor::io {

namespace {

/// What was written is given to the disk after so many bytes, so that little is left at the end.
constexpr std::uint64_t flushed_at_once = 8u << 20;

failure no_such_upload() {
  return {ENOENT, "there is no such upload any more; begin it again"};
}

} // namespace

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
  auto is_same = of->wanted.size_bytes == wanted.size_bytes && of->wanted.sha256 == wanted.sha256;
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

} // namespace crosvisor::io
