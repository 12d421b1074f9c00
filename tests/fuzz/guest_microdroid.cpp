// SPDX-License-Identifier: Apache-2.0
// libFuzzer feeds what the demo guest reads of its host and of apps to those who read it.
//
// The first byte of an input says who reads the rest.
#include "crosvisor/guest/microdroid/identity.hpp"
#include "crosvisor/guest/microdroid/idsig.hpp"
#include "crosvisor/guest/microdroid/metadata.hpp"
#include "crosvisor/guest/microdroid/payload_config.hpp"
#include "crosvisor/guest/microdroid/program_file.hpp"
#include "crosvisor/guest/microdroid/verity.hpp"

#include <sys/mman.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <vector>

#include <unistd.h>

using namespace crosvisor::guest;

namespace {

void require(bool holds) {
  if (!holds)
    std::abort();
}

void read_as_idsig(byte_view bytes) {
  idsig_header header;
  if (!read_idsig(bytes, header).good())
    return;
  require(header.tree_offset <= bytes.size() && header.tree_size % verity_block == 0);
  char table[768];
  require(write_table(table, sizeof table, "/dev/vda2", "/dev/loop0", 7, header));
}

void read_as_metadata(byte_view bytes) {
  payload_metadata metadata;
  if (read_metadata(bytes, metadata).good())
    require(!metadata.config_path.empty() || !metadata.binary_name.empty());
}

void read_as_config(byte_view bytes) {
  std::vector<char> text(bytes.begin(), bytes.end());
  task found;
  if (!read_payload_config(text.data(), text.size(), found).good())
    return;
  require(found.command[0] != '\0' && (!found.launched || is_file_name(found.command)));
  for (auto i = 0; i < found.argument_count; ++i)
    require(std::strlen(found.arguments[i]) < text.size());
}

/// A file with these bytes. @returns its descriptor.
int file_of(byte_view bytes) {
  auto fd = ::memfd_create("input", MFD_CLOEXEC);
  require(fd >= 0 && ::write(fd, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  return fd;
}

/// What was written once is there, and the same, the next time.
void read_as_instance(byte_view bytes) {
  auto fd = file_of(bytes);
  if (keep_identity(fd, "apk\n").good()) {
    require(keep_identity(fd, "apk\n").good());
    require(keep_identity(fd, "other\n").why == cause::changed);
  }
  require(size_of(fd) == static_cast<std::int64_t>(bytes.size()));
  ::close(fd);
}

void read_as_program(byte_view bytes) {
  char path[64];
  auto fd = file_of(bytes);
  std::snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  require(kind_of_program(path) != program_kind::none);
  ::close(fd);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static constexpr void (*readers[])(byte_view) = {read_as_idsig, read_as_metadata, read_as_config,
                                                   read_as_instance, read_as_program};
  if (size > 0)
    readers[data[0] % std::size(readers)]({data + 1, size - 1});
  return 0;
}
