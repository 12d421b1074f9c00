// SPDX-License-Identifier: Apache-2.0
// Whatever a composite file holds: it is refused, or comes out as it was when written again.
#include "crosvisor/io/disk/composite_file.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

using namespace crosvisor::io;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto file = parse_composite_file({reinterpret_cast<const char*>(data), size});
  if (!file)
    return 0;
  auto again = parse_composite_file(serialize(*file));
  if (!again || again->size_bytes != file->size_bytes || again->version != file->version
      || again->components.size() != file->components.size())
    std::abort();
  for (std::size_t i = 0; i < file->components.size(); ++i)
    if (file->components[i].path != again->components[i].path
        || file->components[i].offset != again->components[i].offset
        || (i > 0 && file->components[i - 1].offset >= file->components[i].offset))
      std::abort();
  return 0;
}
