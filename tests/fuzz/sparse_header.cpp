// SPDX-License-Identifier: Apache-2.0
// The first bytes of a sparse image: refused, or within what the header says.
#include "crosvisor/io/disk/sparse_header.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

using namespace crosvisor::io;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto header = parse_sparse_header({reinterpret_cast<const char*>(data), size});
  if (header && (header->image_bytes() == 0 || header->image_bytes() > max_sparse_image_bytes))
    std::abort();
  return 0;
}
