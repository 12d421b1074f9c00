// SPDX-License-Identifier: Apache-2.0
// A disk of any bytes: its tables are read within their bounds.
#include "crosvisor/io/disk/gpt_reader.hpp"
#include "crosvisor/messages/text.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

using namespace crosvisor;
using namespace crosvisor::io;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto found = read_gpt(bytes_of_text({reinterpret_cast<const char*>(data), size}), size);
  if (!found)
    return 0;
  if (found->problems.size() > max_gpt_problems || found->partitions.size() > max_read_entries)
    std::abort();
  for (const auto& partition : found->partitions)
    if (!to_utf16(partition.label))
      std::abort();
  return 0;
}
