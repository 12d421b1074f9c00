// SPDX-License-Identifier: Apache-2.0
// The ZIP archive that an APK is.
#pragma once

#include "crosvisor/io/result.hpp"

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace crosvisor::io {

/// An APK's entries, by libzip. The archive is a stranger's, who may change it while it is read:
/// memory and time are bounded by max_archive_entries, max_directory_bytes (io/apk/zip_input.hpp)
/// and the caller's bounds, never by what the archive says. Nothing of it is verified; that is the
/// guest's affair. One thread at a time; calls block as reads of a regular file do. Move only.
///
/// Failures have the code 0 where the archive is at fault, and don't say whose it is.
class apk_archive {
public:
  /// Opens the regular file behind `fd`, which is open for reading and stays the caller's; its
  /// offset does not matter and is not moved.
  static result<apk_archive> open(int fd);

  apk_archive(apk_archive&&) noexcept;
  apk_archive& operator=(apk_archive&&) noexcept;
  ~apk_archive();

  /// What the entry named exactly `name` holds: `most` bytes at the most, stored or deflated, as
  /// Android has them, and not encrypted. Its checksum is right. A name that the directory has
  /// twice is refused, since readers differ in which one they take.
  /// @returns the bytes, or a problem that begins with the entry's name: `assets/x.json: no such
  /// entry`.
  result<std::string> read(const std::string& name, std::size_t most) const;

  /// The entries' names, in the order of the directory; at most `most`, which says nothing of there
  /// being more. They are the archive's bytes, so show them with printable().
  std::vector<std::string> names(std::size_t most) const;

  /// How many entries there are, up to max_archive_entries.
  std::size_t size() const;

private:
  struct opened;
  explicit apk_archive(std::unique_ptr<opened> archive);
  std::unique_ptr<opened> archive_;
};

} // namespace crosvisor::io
