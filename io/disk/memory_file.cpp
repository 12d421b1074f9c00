// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/disk/memory_file.hpp"

#include "crosvisor/io/disk/open_file.hpp"
#include "crosvisor/io/file_bytes.hpp"

#include <fcntl.h>
#include <sys/mman.h>

#include <string>

namespace crosvisor::io {

result<unique_fd> make_memory_file(const char* name, std::string_view content) {
  constexpr int all_seals = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;
  auto what = std::string{"memory file "} + name;
  unique_fd file{::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING)};
  if (!file)
    return last_failure(what);
  if (auto written = write_at(file.get(), 0, content); !written)
    return failure{written.why().code, what + ": " + written.why().what};
  if (::fcntl(file.get(), F_ADD_SEALS, all_seals) != 0)
    return last_failure(what + ": can't be sealed");
  auto opened = open_read_only(file.get());
  if (!opened)
    return failure{opened.why().code, what + ": " + opened.why().what};
  return opened;
}

} // namespace crosvisor::io
