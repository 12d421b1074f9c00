// SPDX-License-Identifier: Apache-2.0
// libFuzzer writes an APK: its archive and the payload's configuration in it.
#include "crosvisor/io/apk/apk_archive.hpp"
#include "crosvisor/io/payload/payload_config.hpp"
#include "crosvisor/io/unique_fd.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

using namespace crosvisor::io;

namespace {

constexpr std::size_t most_bytes = 4096;

void read_all(const apk_archive& apk) {
  for (const auto& name : apk.names(64)) {
    auto content = apk.read(name, most_bytes);
    if (content && content->size() > most_bytes)
      std::abort();
    if (content)
      (void)parse_payload_config(*content, name);
  }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  unique_fd file{::memfd_create("apk", MFD_CLOEXEC)};
  if (::pwrite(file.get(), data, size, 0) != static_cast<ssize_t>(size))
    std::abort();
  auto apk = apk_archive::open(file.get());
  if (!apk)
    return 0;
  (void)apk->read("assets/vm_config.json", most_bytes);
  read_all(*apk);
  return 0;
}
