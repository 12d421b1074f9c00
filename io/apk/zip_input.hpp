// SPDX-License-Identifier: Apache-2.0
// A stranger's file as libzip reads it.
#pragma once

#include "crosvisor/io/result.hpp"
#include "crosvisor/io/unique_fd.hpp"

#include <zip.h>

#include <cstdint>
#include <string>

namespace crosvisor::io {

/// How large an archive may be: what offsets of 32 bits reach.
inline constexpr std::uint64_t max_archive_bytes = 0xffff'ffff;
/// How many entries an archive may have. libzip keeps them in a hash table whose chains a hostile
/// archive can make as long as it likes: this many take it two seconds, four times as many thirty.
inline constexpr std::uint64_t max_archive_entries = 16'384;
/// How much of an archive is read to know its entries: so many of them with names of 80 bytes.
inline constexpr std::uint64_t max_directory_bytes = 2u << 20;

/// The input of a zip_source. Reads by pread() from a duplicate of a descriptor, whose offset is
/// therefore neither used nor moved, and no more than allow() says: with that, what a hostile
/// archive makes libzip read and keep is bounded. The archive's end, which says how much memory
/// libzip takes for its directory, is read once and kept, so that it can't change after it was
/// looked at. One thread at a time.
class zip_input {
public:
  /// `fd` is a regular file, open for reading, and is duplicated. Refuses what is empty, too large,
  /// has no ZIP directory at its end, or is a Zip64 archive, which no APK is.
  static result<zip_input> open(int fd);

  /// From now on so many bytes may be read, by so many calls.
  void allow(std::uint64_t bytes, std::uint64_t calls) {
    left_ = bytes;
    calls_left_ = calls;
  }

  /// A zip_source_callback; `input` is the zip_input, which outlives the source.
  static zip_int64_t answer(void* input, void* data, zip_uint64_t size, zip_source_cmd_t command);

private:
  zip_int64_t read(void* data, std::uint64_t size);
  zip_int64_t seek(void* data, std::uint64_t size);
  zip_int64_t stat(void* data, std::uint64_t size);

  unique_fd fd_;
  std::uint64_t size_ = 0;
  std::uint64_t at_ = 0;
  std::uint64_t left_ = 0;
  std::uint64_t calls_left_ = 0;
  std::string tail_; ///< The last bytes of the file.
  zip_error_t error_{};
};

} // namespace crosvisor::io
