// SPDX-License-Identifier: Apache-2.0
// The parts of an image store on disk. For the sources of this folder alone.
#pragma once

#include "crosvisor/io/images/image_store.hpp"
#include "crosvisor/io/images/sha256.hpp"
#include "crosvisor/io/worker_pool.hpp"

#include <sys/stat.h>

#include <chrono>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

namespace crosvisor::io {

/// Two locks. `files_` is held while several steps on disk belong together, and by the executor's
/// threads alone; `state_` for a moment, also by callers, and is taken last.
class file_image_store final : public image_store {
public:
  /// @param run empty: threads of its own.
  file_image_store(unique_fd dir, const image_bounds& bounds, executor run);

  /// Finds out what is there.
  result<void> load();

  void begin(const caller& who, image_upload wanted, completion<upload_place> done) override;
  void put(const caller& who, image_piece piece, completion<std::uint64_t> done) override;
  void finish(const caller& who, std::uint64_t upload, completion<image_info> done) override;
  void list(const caller* of, completion<std::vector<image_info>> done) override;
  void read(const caller& who, image_query query, completion<image_part> done) override;
  void remove(const caller& who, std::string name, completion<std::monostate> done) override;
  void open_images(const caller& who, std::vector<wanted_image> wanted,
                   completion<std::vector<unique_fd>> done) override;
  void make(const caller& who, std::string name, std::uint64_t size,
            completion<unique_fd> done) override;
  void end_making(const caller& who, std::string name, bool keep,
                  completion<std::monostate> done) override;
  std::vector<limit_info> limits(const caller* of) const override;

private:
  /// An upload that somebody works on. What is to be done with it is done one after the other.
  struct upload {
    upload(std::string whose, std::string called)
        : owner(std::move(whose)), name(std::move(called)) {}

    const std::string owner;
    const std::string name;

    // Guarded by state_.
    std::uint64_t id = 0; ///< 0: it was not begun yet.
    std::deque<task> waiting;
    bool running = false;
    std::size_t pieces = 0; ///< That wait.
    std::chrono::steady_clock::time_point used;

    // Of the task that runs.
    image_record wanted;
    unique_fd data; ///< None: it is not open.
    sha256 digest;
    std::uint64_t offset = 0;
    bool gone = false;    ///< It is an image, was removed, or was closed.
    bool is_made = false; ///< Here, by an image builder.
  };
  using upload_ptr = std::shared_ptr<upload>;
  using upload_key = std::pair<std::string, std::string>;

  // -- uploads (image_uploads.cpp, image_upload_turns.cpp, image_making.cpp)
  // ------------------------------------------------

  void begin_now(const std::string& owner, const image_upload& wanted,
                 const completion<upload_place>& done);
  void open_or_begin(const upload_ptr& of, const image_record& wanted,
                     const completion<upload_place>& done);
  result<void> resume(upload& of, const image_folder& folder, const image_record& wanted);
  result<void> begin_anew(upload& of, const image_folder& folder, const image_record& wanted);
  result<std::uint64_t> put_now(upload& of, const image_piece& piece);
  result<image_info> finish_now(upload& of, std::uint64_t id);
  result<image_info> keep(upload& of, const image_folder& folder);
  result<void> drop(upload& of, const image_folder& folder);
  upload_ptr upload_of(const std::string& owner, const std::string& name);
  upload_ptr find_upload(const std::string& owner, std::uint64_t id);
  void forget(upload& of);
  void close_unused();
  void remove_old();
  /// Does something after all else that is to be done with an upload.
  void enqueue(const upload_ptr& of, task what);
  void work_off(const upload_ptr& of);

  // -- the rest -------------------------------------------------------------------

  result<image_folder> folder_of(const std::string& owner) const {
    return image_folder::open(dir_.get(), owner);
  }
  std::optional<image_record> find(const std::string& owner, const std::string& name) const;
  result<std::vector<image_info>> list_now(const std::optional<std::string>& owner);
  result<image_part> read_now(const std::string& owner, const image_query& query);
  void remove_now(const std::string& owner, const std::string& name,
                  const completion<std::monostate>& done);
  result<std::vector<unique_fd>> open_now(const std::string& owner,
                                          const std::vector<wanted_image>& wanted);
  result<unique_fd> open_locked(const std::string& owner, const std::string& name, int lock,
                                bool writable, struct stat* is = nullptr);
  image_info info_of(const std::string& owner, const image_record& record) const;

  unique_fd dir_;
  const image_bounds bounds_;
  std::mutex files_;
  std::chrono::steady_clock::time_point swept_; ///< Guarded by files_.
  mutable std::mutex state_;
  image_index index_;
  std::map<upload_key, upload_ptr> uploads_;
  std::map<std::uint64_t, upload_ptr> by_id_;
  std::uint64_t last_id_ = 0;
  std::size_t pieces_ = 0;
  executor run_;
  std::unique_ptr<worker_pool> pool_; // Goes first: its threads use the rest.
};

/// `image "demo"`
std::string called(const std::string& name);

/// The time for an image_record.
std::int64_t now_ms();

/// `no image "demo"`, whether there is none or it is another's.
failure no_such_image(const std::string& name);

} // namespace crosvisor::io
