// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/apk/zip_directory.hpp"

#include "crosvisor/io/apk/fields.hpp"

#include <string>

namespace crosvisor::io {

namespace {

using namespace std::string_view_literals;

constexpr auto record_magic = "PK\x05\x06"sv;
constexpr std::size_t record_bytes = 22;
constexpr auto zip64_magic = "PK\x06\x07"sv;
constexpr std::size_t zip64_locator_bytes = 20;
/// What stands for a number that is in ZIP64's record.
constexpr std::uint32_t in_zip64 = 0xffffffff;

/// Where the record begins whose comment ends the file; the last one, as Android takes it.
std::optional<std::size_t> find_record(std::string_view bytes) {
  if (bytes.size() < record_bytes)
    return {};
  for (auto at = bytes.size() - record_bytes + 1; at-- > 0;) {
    if (bytes.substr(at, record_magic.size()) != record_magic)
      continue;
    field_reader comment{bytes.substr(at + record_bytes - 2)};
    std::size_t size = comment.u8();
    size += std::size_t{comment.u8()} << 8;
    if (at + record_bytes + size == bytes.size())
      return at;
  }
  return {};
}

} // namespace

result<std::optional<zip_directory>> find_zip_directory(std::string_view last_bytes,
                                                        std::uint64_t file_bytes) {
  auto at = find_record(last_bytes);
  if (!at)
    return std::optional<zip_directory>{};
  field_reader record{last_bytes.substr(*at + 12)};
  auto bytes = record.u32(), offset = record.u32();
  auto zip64 = *at >= zip64_locator_bytes
               && last_bytes.substr(*at - zip64_locator_bytes).starts_with(zip64_magic);
  if (zip64 || bytes == in_zip64 || offset == in_zip64)
    return failure{0, "is a ZIP64 file, which no APK may be"};
  auto record_offset = file_bytes - last_bytes.size() + *at;
  if (std::uint64_t{offset} + bytes != record_offset)
    return failure{0, "is a broken ZIP file: its directory of " + std::to_string(bytes)
                        + " bytes at " + std::to_string(offset)
                        + " doesn't end where its end record begins, at "
                        + std::to_string(record_offset)};
  return std::optional{zip_directory{offset, bytes}};
}

} // namespace crosvisor::io
