// SPDX-License-Identifier: Apache-2.0
// How images are made in the store.
#include "crosvisor/io/images/file_image_store.hpp"

#include <fcntl.h>

#include <cerrno>

namespace crosvisor::io {

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
      return done(kept ? result<std::monostate>{std::monostate{}} : failure{EIO, kept.why().what});
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
