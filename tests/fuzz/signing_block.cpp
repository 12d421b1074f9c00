// SPDX-License-Identifier: Apache-2.0
// libFuzzer has an APK's signature read: an input is a whole APK, then also a signing block alone.
#include "crosvisor/io/apk/signing_block.hpp"
#include "crosvisor/io/unique_fd.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string_view>

using namespace crosvisor::io;

namespace {

void check(const result<apk_signature>& read) {
  if (!read) {
    if (read.why().code != 0 || read.why().what.empty())
      std::abort();
    return;
  }
  auto size = read->digest.size();
  auto whole = size == 32 || size == 40 || size == 64;
  if (!(whole && read->unsigned_because.empty()) && !(size == 0 && !read->unsigned_because.empty()))
    std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const unique_fd apk{::memfd_create("apk", MFD_CLOEXEC)};
  if (::ftruncate(apk.get(), 0) != 0
      || ::pwrite(apk.get(), data, size, 0) != static_cast<ssize_t>(size))
    std::abort();
  check(read_apk_signature(apk.get(), size));
  check(parse_signing_block({reinterpret_cast<const char*>(data), size}));
  return 0;
}
