// SPDX-License-Identifier: Apache-2.0
// What the first bytes of a disk image say of its format.
#pragma once

#include "crosvisor/io/result.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace crosvisor::io {

/// The formats that crosvm finds by their first bytes (disk/src/disk.rs, detect_image_type).
enum class image_magic : std::uint8_t { none, qcow2, composite, android_sparse, zstd };

struct image_header {
  image_magic magic = image_magic::none;
  std::uint32_t version = 0; ///< Of qcow2 alone: 2 or 3.
  bool backing_file = false; ///< Of qcow2 alone: it names another file with what it lacks.
  bool data_file = false;    ///< Of qcow2 alone: its data is in another file.
};

/// How many bytes parse_image_header looks at.
inline constexpr std::size_t image_header_bytes = 104;

/// Reads the first bytes of an image, as many as there are. QEMU's docs/interop/qcow2.txt has the
/// layout of qcow2, crosvm's disk/src/{composite,android_sparse,zstd}.rs the other magics.
image_header parse_image_header(std::string_view first_bytes);

/// The same from a file, whose offset stays where it is. Blocks as long as reading does.
result<image_header> read_image_header(int fd);

/// How a format is called in an error.
const char* name_of(image_magic magic);

} // namespace crosvisor::io
