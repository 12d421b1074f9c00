// SPDX-License-Identifier: Apache-2.0
// What clients say of the images that a daemon stores for them. Knows no CAF type.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace crosvisor {

/// What stands before the name of a stored image where else there is a path or a ticket.
inline constexpr std::string_view stored_image_prefix = "image:";

/// The most bytes of an image that one message carries.
inline constexpr std::uint32_t max_image_piece_bytes = 256u << 10;
/// How many pieces a client may have under way. That is all the credit there is: each that is
/// answered makes room for one more.
inline constexpr std::size_t image_pieces_under_way = 8;
/// What a GPT disk of 512-byte sectors has room for, and more than any disk that a quota lets in.
inline constexpr std::uint64_t max_image_bytes = std::uint64_t{1} << 41;

/// Whether an image can be called that: as a VM can, so that it never looks like a path.
bool valid_image_name(const std::string& name) noexcept;

/// The name in `image:NAME`, valid or not; nothing where the text is a path.
std::optional<std::string> stored_image_name(const std::string& text);

/// 64 lower-case hexadecimal digits.
bool valid_sha256(const std::string& text) noexcept;

/// An image that is to be stored.
struct image_upload {
  std::string name;
  std::uint64_t size_bytes = 0; ///< 1 to max_image_bytes.
  std::string sha256;           ///< Of all of it, 64 lower-case hexadecimal digits.
};

/// The first problem of an upload, or nothing.
std::optional<std::string> find_problem(const image_upload& upload);

/// Where an upload is to go on.
struct upload_place {
  /// For its pieces; until it is begun anew, or the service ends.
  std::uint64_t id = 0;
  /// So many bytes are there.
  std::uint64_t offset = 0;
  /// The image is there already, and there is nothing to be sent or finished.
  bool is_stored = false;
};

/// Bytes of an upload.
struct image_piece {
  std::uint64_t upload = 0;
  /// Where they belong: right after those that are there.
  std::uint64_t offset = 0;
  std::string bytes; ///< 1 to max_image_piece_bytes.
};

/// A stored image.
struct image_info {
  std::string name;
  std::string owner; ///< As to_string(caller) has it.
  std::uint64_t size_bytes = 0;
  /// Empty: what it holds was, or may have been, written by a VM since it was stored, or it was
  /// made in the store.
  std::string sha256;
  std::int64_t stored_ms = 0; ///< When, as Unix time.
  /// A VM has it, or somebody reads it just now.
  bool in_use = false;
};

/// Bytes of a stored image, to be read.
struct image_query {
  std::string name;
  std::uint64_t offset = 0;
};

struct image_part {
  std::string bytes; ///< At most max_image_piece_bytes; fewer only at the end.
  std::uint64_t size_bytes = 0;
  std::string sha256; ///< As image_info has it.
  /// Another one where the image may hold something else by now.
  std::uint64_t version = 0;
};

template <class Inspector>
auto inspect(Inspector& f, image_upload& x) {
  return f(x.name, x.size_bytes, x.sha256);
}

template <class Inspector>
auto inspect(Inspector& f, upload_place& x) {
  return f(x.id, x.offset, x.is_stored);
}

template <class Inspector>
auto inspect(Inspector& f, image_piece& x) {
  return f(x.upload, x.offset, x.bytes);
}

template <class Inspector>
auto inspect(Inspector& f, image_info& x) {
  return f(x.name, x.owner, x.size_bytes, x.sha256, x.stored_ms, x.in_use);
}

template <class Inspector>
auto inspect(Inspector& f, image_query& x) {
  return f(x.name, x.offset);
}

template <class Inspector>
auto inspect(Inspector& f, image_part& x) {
  return f(x.bytes, x.size_bytes, x.sha256, x.version);
}

} // namespace crosvisor
