// SPDX-License-Identifier: Apache-2.0
// Where a ZIP file's central directory is, before which an APK has its signature.
#pragma once

#include "crosvisor/io/result.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace crosvisor::io {

struct zip_directory {
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
};

/// How much of a file's end find_zip_directory() looks at: the locator of ZIP64's record, the
/// record of 22 bytes, and its comment of 65535.
inline constexpr std::size_t max_zip_end_bytes = 20 + 22 + 65535;

/// Finds the record that ends a ZIP file, and with its comment the file, and by it the central
/// directory, which must end where the record begins. ZIP64 is refused, as Android refuses it in
/// APKs. Nothing: there is no such record. Layout: PKWARE's APPNOTE.TXT, 4.3.15 and 4.3.16.
/// Failures have code 0.
/// @param last_bytes the last max_zip_end_bytes of the file, or the whole of a shorter one.
result<std::optional<zip_directory>> find_zip_directory(std::string_view last_bytes,
                                                        std::uint64_t file_bytes);

} // namespace crosvisor::io
