// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/images/image_store.hpp"

#include "crosvisor/io/config/printable.hpp"
#include "crosvisor/io/failpoint.hpp"
#include "crosvisor/io/file_bytes.hpp"
#include "crosvisor/io/images/file_image_store.hpp"
#include "crosvisor/io/logging.hpp"
#include "crosvisor/io/private_dir.hpp"

#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

namespace crosvisor::io {

namespace {

// Checksums are most of the work.
constexpr std::size_t threads = 4;

failure in_use(const std::string& name, const char* by) {
  return {EBUSY, "image " + in_quotes(name) + " is in use by " + by};
}

/// So that no failure of the host's is taken for one of the store's own.
failure of_host(const failure& why) {
  for (auto own : {ENOENT, EEXIST, EINVAL, EBUSY, EDQUOT, EAGAIN, EBADMSG})
    if (why.code == own)
      return {EIO, why.what};
  return why;
}

std::uint64_t version_of(const struct stat& is) {
  constexpr std::uint64_t nanoseconds = 1'000'000'000;
  return static_cast<std::uint64_t>(is.st_mtim.tv_sec) * nanoseconds
         + static_cast<std::uint64_t>(is.st_mtim.tv_nsec);
}

} // namespace

std::string called(const std::string& name) {
  return "image " + in_quotes(name);
}

std::int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
           std::chrono::system_clock::now().time_since_epoch())
    .count();
}

failure no_such_image(const std::string& name) {
  return {ENOENT, "no image " + in_quotes(name)};
}

result<std::shared_ptr<image_store>> image_store::open(const std::string& state_dir,
                                                       const image_bounds& bounds, executor run) {
  auto state = open_private_dir(state_dir);
  auto dir = state ? open_private_dir_at(state->get(), "images", state_dir + "/images")
                   : result<unique_fd>{state.why()};
  if (!dir)
    return dir.why();
  auto store = std::make_shared<file_image_store>(std::move(*dir), bounds, std::move(run));
  if (auto loaded = store->load(); !loaded)
    return loaded.why();
  return std::shared_ptr<image_store>{std::move(store)};
}

file_image_store::file_image_store(unique_fd dir, const image_bounds& bounds, executor run)
    : dir_(std::move(dir)), bounds_(bounds), index_(bounds), run_(std::move(run)) {
  if (run_)
    return;
  pool_ = std::make_unique<worker_pool>(worker_pool::when_needed{}, threads, "crosvisor-image");
  run_ = [pool = pool_.get()](task what) { pool->post(std::move(what)); };
}

result<void> file_image_store::load() {
  auto names = list_dir(dir_.get());
  if (!names)
    return names.why();
  for (const auto& name : *names) {
    auto folder = image_folder::open_named(dir_.get(), name);
    auto there = folder ? folder->load() : result<image_folder::content>{folder.why()};
    if (!there) {
      log::warn("image store leaves \"{}\" alone: {}", printable(name), there.why().what);
      continue;
    }
    for (const auto& strange : there->strange)
      log::warn("image store leaves \"{}/{}\" alone, which is no image", name, printable(strange));
    index_.add(folder->owner(), std::move(*there));
  }
  return {};
}

image_info file_image_store::info_of(const std::string& owner, const image_record& record) const {
  return {record.name, owner, record.size_bytes, record.sha256, record.stored_ms, false};
}

std::optional<image_record> file_image_store::find(const std::string& owner,
                                                   const std::string& name) const {
  std::lock_guard guard{state_};
  const auto* record = index_.find(owner, name);
  return record == nullptr ? std::nullopt : std::optional{*record};
}

/// With files_ held, so that nobody else's try of a lock is in the way.
result<unique_fd> file_image_store::open_locked(const std::string& owner, const std::string& name,
                                                int lock, bool writable, struct stat* is) {
  if (!find(owner, name))
    return no_such_image(name);
  auto folder = folder_of(owner);
  if (!folder)
    return of_host(folder.why());
  auto fd = folder->open_image(name, writable, is);
  if (!fd)
    return of_host(fd.why());
  if (::flock(fd->get(), lock | LOCK_NB) == 0)
    return fd;
  if (errno == EWOULDBLOCK)
    return in_use(name, lock == LOCK_EX ? "a VM, or is being read" : "a VM that writes to it");
  return of_host(last_failure("image " + in_quotes(name)));
}

// -- list ---------------------------------------------------------------------

void file_image_store::list(const caller* of, completion<std::vector<image_info>> done) {
  auto owner = of == nullptr ? std::nullopt : std::optional{to_string(*of)};
  run_([this, owner = std::move(owner), done = std::move(done)] { done(list_now(owner)); });
}

result<std::vector<image_info>>
file_image_store::list_now(const std::optional<std::string>& owner) {
  std::vector<image_index::entry> there;
  {
    std::lock_guard guard{state_};
    there = index_.images(owner);
  }
  std::vector<image_info> all;
  for (const auto& [whose, record] : there) {
    std::lock_guard guard{files_};
    auto free = open_locked(whose, record.name, LOCK_EX, false);
    if (!free && free.why().code == ENOENT)
      continue; // Removed meanwhile.
    all.push_back(info_of(whose, record));
    all.back().in_use = !free && free.why().code == EBUSY;
  }
  return all;
}

// -- read ---------------------------------------------------------------------

void file_image_store::read(const caller& who, image_query query, completion<image_part> done) {
  run_([this, owner = to_string(who), query = std::move(query), done = std::move(done)] {
    done(read_now(owner, query));
  });
}

result<image_part> file_image_store::read_now(const std::string& owner, const image_query& query) {
  struct stat is {};
  image_part part;
  unique_fd fd;
  {
    std::lock_guard guard{files_};
    auto opened = open_locked(owner, query.name, LOCK_SH, false, &is);
    if (!opened)
      return opened.why();
    fd = std::move(*opened);
    if (auto record = find(owner, query.name))
      part.sha256 = record->sha256;
  }
  part.size_bytes = static_cast<std::uint64_t>(is.st_size);
  part.version = version_of(is);
  if (query.offset > part.size_bytes)
    return failure{EINVAL, "image " + in_quotes(query.name) + " has "
                             + std::to_string(part.size_bytes) + " bytes, and none at "
                             + std::to_string(query.offset)};
  auto bytes = read_at(fd.get(), query.offset, max_image_piece_bytes);
  if (!bytes)
    return of_host(bytes.why());
  part.bytes = std::move(*bytes);
  return part;
}

// -- remove -------------------------------------------------------------------

void file_image_store::remove(const caller& who, std::string name,
                              completion<std::monostate> done) {
  run_([this, owner = to_string(who), name = std::move(name), done = std::move(done)] {
    remove_now(owner, name, done);
  });
}

void file_image_store::remove_now(const std::string& owner, const std::string& name,
                                  const completion<std::monostate>& done) {
  std::unique_lock guard{files_};
  auto folder = folder_of(owner);
  if (!folder)
    return done(of_host(folder.why()));
  if (find(owner, name)) {
    auto locked = open_locked(owner, name, LOCK_EX, false);
    auto removed = locked ? folder->remove_image(name) : result<void>{locked.why()};
    if (removed) {
      std::lock_guard state{state_};
      index_.remove(owner, name);
    }
    guard.unlock();
    return done(removed  ? result<std::monostate>{std::monostate{}}
                : locked ? of_host(removed.why())
                         : locked.why());
  }
  auto there = upload_of(owner, name);
  guard.unlock();
  if (!there)
    return done(no_such_image(name));
  enqueue(there, [this, there, folder = std::make_shared<image_folder>(std::move(*folder)), done] {
    if (there->gone)
      return done(no_such_image(there->name));
    if (there->is_made)
      return done(in_use(there->name, "whoever makes it"));
    auto dropped = drop(*there, *folder);
    done(dropped ? result<std::monostate>{std::monostate{}} : of_host(dropped.why()));
  });
}

// -- for VMs ------------------------------------------------------------------

void file_image_store::open_images(const caller& who, std::vector<wanted_image> wanted,
                                   completion<std::vector<unique_fd>> done) {
  run_([this, owner = to_string(who), wanted = std::move(wanted), done = std::move(done)] {
    done(open_now(owner, wanted));
  });
}

result<std::vector<unique_fd>> file_image_store::open_now(const std::string& owner,
                                                          const std::vector<wanted_image>& wanted) {
  std::vector<unique_fd> all;
  std::lock_guard guard{files_};
  for (const auto& one : wanted) {
    if (auto why = injected(failpoint::open_image))
      return of_host(*why);
    auto fd = open_locked(owner, one.name, one.writable ? LOCK_EX : LOCK_SH, one.writable);
    if (!fd)
      return fd.why();
    all.push_back(std::move(*fd));
  }
  auto folder = folder_of(owner);
  if (!folder)
    return of_host(folder.why());
  for (const auto& one : wanted) {
    auto record = find(owner, one.name);
    if (!one.writable || !record || record->sha256.empty())
      continue;
    record->sha256.clear();
    if (auto written = folder->write_record(*record); !written)
      return of_host(written.why());
    std::lock_guard state{state_};
    index_.store(owner, *record);
  }
  return all;
}

std::vector<limit_info> file_image_store::limits(const caller* of) const {
  std::lock_guard guard{state_};
  return index_.limits(of == nullptr ? std::nullopt : std::optional{to_string(*of)});
}

} // namespace crosvisor::io
