// SPDX-License-Identifier: Apache-2.0
// What the first bytes of a disk image say of its format.
#pragma once

#include "crosvisor/io/result.hpp"
#include "crosvisor/messages/vm_config.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace crosvisor::io {

/// The formats that crosvm finds by their first bytes (disk/src/disk.rs, detect_image_type).
enum class image_magic : std::uint8_t { none, qcow2, composite, android_sparse, zstd };

/// For people: `an Android sparse image`, and `raw` for none.
const char* name_of(image_magic magic);

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

/// Refuses an image that would make `vmm` open files which nobody gave it: a qcow2 that names a
/// backing or a data file; and, where crosvm runs it, a raw image that looks like another format,
/// since crosvm looks at the bytes and not at what was stated. A guest writes its raw disk's first
/// bytes as it likes, so it could turn the disk into a qcow2 with any file of the host's behind it
/// (CVE-2026-27211 is that of Cloud Hypervisor). Also refuses a qcow2 that is none, or of a version
/// that `vmm` doesn't read. Blocks as long as reading does.
/// @param what how to name the image: `disks[0] "root.img"`; starts the sentence of a failure.
result<void> check_image(int fd, image_format format, vmm_kind vmm, const std::string& what);

} // namespace crosvisor::io
