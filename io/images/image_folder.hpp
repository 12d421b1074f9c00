// SPDX-License-Identifier: Apache-2.0
// How images lie on disk.
#pragma once

#include "crosvisor/io/result.hpp"
#include "crosvisor/io/unique_fd.hpp"

#include <sys/stat.h>

#include <cstdint>
#include <string>
#include <vector>

namespace crosvisor::io {

/// What is kept of an image beside its bytes.
struct image_record {
  std::string name;
  std::uint64_t size_bytes = 0;
  std::string sha256; ///< What was promised, or verified; empty: nobody knows.
  std::int64_t stored_ms = 0;
};

template <class Inspector>
auto inspect(Inspector& f, image_record& x) {
  return f(x.name, x.size_bytes, x.sha256, x.stored_ms);
}

/// One principal's images, in a folder of theirs:
///
///     .owner          whose it is, as to_string(caller) has it
///     NAME/data       an image
///     NAME/record     what it is, as JSON
///     .part-NAME/     an upload, which is not whole yet: the same
///     .gone-N         what is being removed
///
/// A name begins with a letter, so that none of them is another. An upload becomes an image by one
/// rename of its folder, so that a process that is killed leaves one or the other. No symlink is
/// followed. All that is said to be done is on disk. Not for two threads with one image at a time.
class image_folder {
public:
  /// The folder of `owner` in the store's, made where it is missing.
  static result<image_folder> open(int store, const std::string& owner);

  /// One that is there, under its own name; EINVAL where it is nobody's.
  static result<image_folder> open_named(int store, const std::string& folder);

  const std::string& owner() const noexcept { return owner_; }

  struct content {
    std::vector<image_record> images;
    std::vector<image_record> uploads;
    /// What is neither, for people.
    std::vector<std::string> strange;
  };

  /// What there is. Removes what an earlier process had begun to remove.
  result<content> load() const;

  /// The file of an image, a regular one; with its size and time where `is` is given. ENOENT.
  result<unique_fd> open_image(const std::string& name, bool writable,
                               struct stat* is = nullptr) const;

  /// Replaces what is kept of an image.
  result<void> write_record(const image_record& image) const;

  /// Takes an image away, at once; the bytes are removed after that.
  result<void> remove_image(const std::string& name) const { return remove(name); }

  // -- uploads ------------------------------------------------------------------

  /// Begins one anew: an empty file, open for reading and writing. What was there is gone.
  result<unique_fd> begin_upload(const image_record& wanted) const;

  /// The file of one that was begun for just this name, size and checksum. ENOENT: there is none.
  result<unique_fd> open_upload(const image_record& wanted) const;

  /// When something was last written to it, as Unix time; 0 where that can't be told.
  std::int64_t upload_written_s(const std::string& name) const;

  /// Makes it an image. `data` is its file, whole. EEXIST.
  result<void> finish_upload(const image_record& image, int data) const;

  result<void> remove_upload(const std::string& name) const;

private:
  image_folder(unique_fd dir, std::string owner) : dir_(std::move(dir)), owner_(std::move(owner)) {}

  result<void> remove(const std::string& entry) const;

  unique_fd dir_;
  std::string owner_;
};

/// What an owner's folder is called: `uid-1000`, or `subject-` and a checksum of the subject.
std::string folder_name_of(const std::string& owner);

} // namespace crosvisor::io
