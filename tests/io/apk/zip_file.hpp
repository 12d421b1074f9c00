// SPDX-License-Identifier: Apache-2.0
// ZIP files as tests need them, made by libzip.
#pragma once

#include "crosvisor/tests/io/temp_dir.hpp"

#include <zip.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace crosvisor::tests {

struct zip_member {
  std::string name;
  std::string content;
  bool stored = false;
  bool encrypted = false;
};

/// Writes the archive to `path`, and returns that.
inline std::string write_zip(const std::string& path, const std::vector<zip_member>& members) {
  auto check = [](bool ok) {
    if (!ok)
      throw std::runtime_error("libzip can't write a test's archive");
  };
  auto* zip = zip_open(path.c_str(), ZIP_CREATE | ZIP_TRUNCATE, nullptr);
  check(zip != nullptr);
  for (const auto& member : members) {
    auto* source = zip_source_buffer(zip, member.content.data(), member.content.size(), 0);
    auto index = zip_file_add(zip, member.name.c_str(), source, ZIP_FL_ENC_UTF_8);
    check(index >= 0);
    auto at = static_cast<zip_uint64_t>(index);
    check(zip_set_file_compression(zip, at, member.stored ? ZIP_CM_STORE : ZIP_CM_DEFLATE, 1) == 0);
    if (member.encrypted)
      check(zip_file_set_encryption(zip, at, ZIP_EM_AES_256, "secret") == 0);
  }
  check(zip_close(zip) == 0);
  return path;
}

/// The bytes of such an archive.
inline std::string zip_bytes(const std::vector<zip_member>& members) {
  temp_dir dir;
  return read_file(write_zip(dir / "a.zip", members));
}

/// `bytes` with `from` replaced by `to`, of the same length, wherever it stands.
inline std::string patched(std::string bytes, const std::string& from, const std::string& to) {
  if (from.size() != to.size() || bytes.find(from) == std::string::npos)
    throw std::runtime_error("nothing to patch");
  for (auto at = bytes.find(from); at != std::string::npos; at = bytes.find(from, at + 1))
    bytes.replace(at, from.size(), to);
  return bytes;
}

/// A number as ZIP has it.
inline std::string little_endian_32(std::uint32_t value) {
  std::string bytes;
  for (int i = 0; i < 4; ++i)
    bytes += static_cast<char>(value >> (8 * i) & 0xff);
  return bytes;
}

} // namespace crosvisor::tests
