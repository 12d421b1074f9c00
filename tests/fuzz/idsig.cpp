// SPDX-License-Identifier: Apache-2.0
// libFuzzer has an idsig read. Two bytes say how many blocks of a tree follow the rest.
#include "crosvisor/io/apk/idsig.hpp"

#include <cstdint>
#include <cstdlib>
#include <string_view>

using namespace crosvisor::io;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2)
    return 0;
  std::string_view bytes{reinterpret_cast<const char*>(data) + 2, size - 2};
  auto tree_bytes = (data[0] + 256u * data[1]) * merkle_block_bytes;
  auto parsed = parse_idsig(bytes, bytes.size() + tree_bytes);
  // What is read is all that was there.
  if (parsed && (serialize(*parsed) != bytes || parsed->tree_bytes != tree_bytes))
    std::abort();
  return 0;
}
