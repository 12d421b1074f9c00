// SPDX-License-Identifier: Apache-2.0
// The programs that ours are held against, and the files that both read.
#pragma once

#include "crosvisor/io/unique_fd.hpp"
#include "crosvisor/tests/io/temp_dir.hpp"
#include "crosvisor/tests/judge.hpp"

#include <caf/test/dsl.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>

namespace crosvisor::tests {

/// Runs a line of shell in `folder`.
inline verdict shell(const temp_dir& folder, const std::string& line) {
  return ask("cd '" + folder.path() + "' && { " + line + "; }");
}

/// The same for what must succeed.
/// @returns what it printed.
inline std::string must(const temp_dir& folder, const std::string& line) {
  auto said = shell(folder, line);
  if (said.exit_code != 0)
    CAF_FAIL("failed: " << line << ": " << said.out);
  return said.out;
}

/// A file of that size, most of it holes: each of its borders has some bytes of a pattern.
inline std::string make_file(const temp_dir& folder, const std::string& name, std::uint64_t size) {
  auto path = folder.write(name, "");
  io::unique_fd fd{::open(path.c_str(), O_WRONLY | O_CLOEXEC)};
  CAF_REQUIRE_EQUAL(::ftruncate(fd.get(), static_cast<off_t>(size)), 0);
  for (std::uint64_t border :
       {std::uint64_t{0}, std::uint64_t{4096}, size / 2 / 4096 * 4096, size}) {
    std::string pattern;
    for (auto at = border < 700 ? 0 : border - 700; at < border + 700 && at < size; ++at)
      pattern += static_cast<char>(at * at / 7 + at);
    auto from = border < 700 ? 0 : border - 700;
    CAF_REQUIRE_EQUAL(::pwrite(fd.get(), pattern.data(), pattern.size(), static_cast<off_t>(from)),
                      static_cast<ssize_t>(pattern.size()));
  }
  return path;
}

inline io::unique_fd open_file(const std::string& path, int flags = O_RDONLY, int mode = 0600) {
  io::unique_fd fd{::open(path.c_str(), flags | O_CLOEXEC, mode)};
  CAF_REQUIRE(static_cast<bool>(fd));
  return fd;
}

/// A key of `algorithm` (what `openssl req -newkey` takes) as `NAME.pk8` and its `NAME.pem`.
inline void make_key(const temp_dir& folder, const std::string& name,
                     const std::string& algorithm) {
  must(folder, "openssl req -x509 -nodes -days 30 -subj /CN=test -newkey " + algorithm
                 + " -keyout key -out " + name
                 + ".pem && openssl pkcs8 -topk8 -nocrypt -outform DER"
                   " -in key -out "
                 + name + ".pk8");
}

/// The least that apksigner takes for a manifest: Android's binary XML of `<manifest/>`.
inline std::string least_manifest() {
  using namespace std::string_literals;
  auto none = "\xff\xff\xff\xff"s;
  auto strings = "\1\0\x1c\0\x2c\0\0\0\1\0\0\0\0\0\0\0\0\1\0\0\x20\0\0\0\0\0\0\0\0\0\0\0"s
                 + "\x08\x08manifest\0\0"s;
  auto start =
    "\2\1\x10\0\x24\0\0\0\1\0\0\0"s + none + none + "\0\0\0\0\x14\0\x14\0"s + std::string(8, '\0');
  auto end = "\3\1\x10\0\x18\0\0\0\1\0\0\0"s + none + none + std::string(4, '\0');
  return "\3\0\x08\0\x70\0\0\0"s + strings + start + end;
}

/// A ZIP file of a manifest and an entry of `bytes`, stored.
inline void make_zip(const temp_dir& folder, const std::string& name, std::uint64_t bytes) {
  make_file(folder, "entry", bytes);
  folder.write("AndroidManifest.xml", least_manifest());
  must(folder, "rm -f " + name + " && zip -0 -q " + name + " AndroidManifest.xml entry");
}

/// Signs `from` as `to`, with an idsig beside it.
inline void sign(const temp_dir& folder, const std::string& key, const std::string& from,
                 const std::string& to, const std::string& options = "") {
  must(folder, "apksigner sign --min-sdk-version 28 --v1-signing-enabled false"
               " --v4-signing-enabled true "
                 + options + " --key " + key + ".pk8 --cert " + key + ".pem --in " + from
                 + " --out " + to);
}

/// The folder of files that Android's programs made, or empty with a message when it is not there.
inline std::string golden_folder() {
  const auto* said = std::getenv("CROSVISOR_GOLDEN");
  std::string folder = said != nullptr && *said != '\0' ? said : GOLDEN_FOLDER;
  if (std::filesystem::is_directory(folder + "/idsig"))
    return folder;
  CAF_MESSAGE("skipped: no golden files in " << folder << "; CROSVISOR_GOLDEN names their folder");
  return "";
}

inline bool has(const std::string& text, const std::string& part) {
  return text.find(part) != text.npos;
}

} // namespace crosvisor::tests
