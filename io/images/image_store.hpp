// SPDX-License-Identifier: Apache-2.0
// The images that clients have stored, below the state directory.
#pragma once

#include "crosvisor/io/images/image_index.hpp"
#include "crosvisor/io/result.hpp"
#include "crosvisor/io/unique_fd.hpp"
#include "crosvisor/messages/caller.hpp"
#include "crosvisor/messages/limit_info.hpp"
#include "crosvisor/messages/stored_image.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace crosvisor::io {

/// What any of a store's requests came to.
struct store_result {
  std::variant<failure, std::monostate, upload_place, std::uint64_t, image_info,
               std::vector<image_info>, image_part, unique_fd, std::vector<unique_fd>>
    value;
};

/// A stored image that a request wants to have.
struct wanted_image {
  std::string name;
  bool writable = false;
};

/// Keeps images in the folder `images` of a state directory, a folder for each principal
/// (image_folder.hpp); nobody reaches another's. All that may block is done by an executor's
/// threads, and each request's completion is called there, once. Any thread; nothing blocks but
/// open() and the destructor, which waits for what is under way and so is not for a completion to
/// call.
///
/// Failures have one of these codes, and for any other reason that of the host:
///
///     ENOENT   no such image or upload of theirs    EBUSY    a VM has it, or another request
///     EEXIST   another image has the name           EDQUOT   a bound; its key is in the sentence
///     EINVAL   the request is no good               EAGAIN   too many pieces wait
///     EBADMSG  the bytes are not those that were promised
class image_store {
public:
  using task = std::function<void()>;
  /// Runs a task, on any thread, even this one.
  using executor = std::function<void(task)>;
  template <class T>
  using completion = std::function<void(result<T>)>;

  /// @param state_dir absolute; one process at a time may have a store there.
  /// @param run empty: threads of the store's own, made when they are needed.
  static result<std::shared_ptr<image_store>> open(const std::string& state_dir,
                                                   const image_bounds& bounds, executor run = {});

  virtual ~image_store() = default;

  // -- uploads, whose pieces come in order --------------------------------------

  /// Begins one, or goes on with one of the same name, size and checksum, whose bytes are read for
  /// that. An id that it had before is good no more.
  virtual void begin(const caller& who, image_upload wanted, completion<upload_place> done) = 0;

  /// Adds a piece: how many bytes are there.
  virtual void put(const caller& who, image_piece piece, completion<std::uint64_t> done) = 0;

  /// Verifies it and makes it an image, which is then on disk.
  virtual void finish(const caller& who, std::uint64_t upload, completion<image_info> done) = 0;

  // -- images ---------------------------------------------------------------------

  /// @param of null: everybody's.
  virtual void list(const caller* of, completion<std::vector<image_info>> done) = 0;

  /// A piece of it. EBUSY: a VM writes to it.
  virtual void read(const caller& who, image_query query, completion<image_part> done) = 0;

  /// An image, or an upload. EBUSY.
  virtual void remove(const caller& who, std::string name, completion<std::monostate> done) = 0;

  /// Opens images, in their order, all or none: each for reading alone, beside others who read it,
  /// or for writing, alone. That lasts as long as the open file, in whichever processes (flock).
  /// One that is opened for writing has no checksum from then on. EBUSY: somebody has it.
  virtual void open_images(const caller& who, std::vector<wanted_image> wanted,
                           completion<std::vector<unique_fd>> done) = 0;

  // -- images that are made in the store --------------------------------------------

  /// Begins one, of `size` bytes at most: a new file, open for reading and writing. It is an image
  /// only when it is kept. EEXIST, EDQUOT, EBUSY.
  virtual void make(const caller& who, std::string name, std::uint64_t size,
                    completion<unique_fd> done) = 0;

  /// What was made is an image from now on, without a checksum, or is removed.
  virtual void end_making(const caller& who, std::string name, bool keep,
                          completion<std::monostate> done) = 0;

  /// The bounds as they are; with somebody named what they have.
  virtual std::vector<limit_info> limits(const caller* of) const = 0;
};

/// How many pieces of one upload may wait, and of all uploads together.
inline constexpr std::size_t max_waiting_pieces = 2 * image_pieces_under_way;
inline constexpr std::size_t max_waiting_pieces_in_all = 512;
/// How many uploads are open at a time; another one closes that which was used least recently, and
/// its client has to begin it anew.
inline constexpr std::size_t max_open_uploads = 64;

} // namespace crosvisor::io
