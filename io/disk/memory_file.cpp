// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/disk/memory_file.hpp"

#include "crosvisor/io/disk/open_file.hpp"
#include "crosvisor/io/file_bytes.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>

namespace crosvisor::io {

namespace {

result<unique_fd> make_file(const char* name) {
  unique_fd file{::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING)};
  if (!file)
    return last_failure("can't be made");
  return file;
}

result<unique_fd> seal(const unique_fd& file) {
  constexpr int all_seals = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;
  if (::fcntl(file.get(), F_ADD_SEALS, all_seals) != 0)
    return last_failure("can't be sealed");
  return open_read_only(file.get());
}

result<void> copy(int from, int to, std::uint64_t most) {
  failure too_much{EFBIG,
                   "there are more than the " + std::to_string(most) + " bytes that are copied"};
  struct stat is;
  if (::fstat(from, &is) == 0 && is.st_size > 0 && static_cast<std::uint64_t>(is.st_size) > most)
    return too_much; // Before memory is taken.
  off_t offset = 0;
  // One byte more, which says that there is too much. One call moves no more than 2 GiB.
  for (auto left = most + 1; left > 0;) {
    auto moved = ::sendfile(to, from, &offset, std::min<std::uint64_t>(left, 1u << 30));
    if (moved < 0 && errno != EINTR)
      return last_failure("copying");
    if (moved == 0)
      return {};
    left -= static_cast<std::uint64_t>(std::max<ssize_t>(moved, 0));
  }
  return too_much;
}

failure named(const char* name, const failure& why) {
  return {why.code, std::string{"memory file "} + name + ": " + why.what};
}

} // namespace

result<unique_fd> make_memory_file(const char* name, std::string_view content) {
  auto file = make_file(name);
  if (!file)
    return named(name, file.why());
  if (auto written = write_at(file->get(), 0, content); !written)
    return named(name, written.why());
  auto sealed = seal(*file);
  return sealed ? std::move(sealed) : named(name, sealed.why());
}

result<unique_fd> copy_to_memory_file(const char* name, int from, std::uint64_t most) {
  auto file = make_file(name);
  if (!file)
    return named(name, file.why());
  if (auto copied = copy(from, file->get(), most); !copied)
    return named(name, copied.why());
  auto sealed = seal(*file);
  return sealed ? std::move(sealed) : named(name, sealed.why());
}

} // namespace crosvisor::io
