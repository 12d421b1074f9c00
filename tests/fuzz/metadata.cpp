// SPDX-License-Identifier: Apache-2.0
// libFuzzer writes a payload's metadata; what is accepted has to survive being written again.
#include "crosvisor/io/payload/metadata.hpp"

#include <cstdint>
#include <cstdlib>

using namespace crosvisor::io;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto first = parse_payload_metadata({reinterpret_cast<const char*>(data), size});
  if (!first)
    return 0;
  auto bytes = serialize(*first);
  auto second = parse_payload_metadata(bytes);
  if (!second || serialize(*second) != bytes)
    std::abort();
  return 0;
}
