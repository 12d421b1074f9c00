// SPDX-License-Identifier: Apache-2.0
// An image of any bytes: its header is read, and by both readers in the same way.
#include "crosvisor/io/disk/image_header.hpp"
#include "crosvisor/io/disk/qcow2.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

using namespace crosvisor::io;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view image{reinterpret_cast<const char*>(data), size};
  auto seen = parse_image_header(image.substr(0, image_header_bytes));
  auto header = read_qcow2_header(bytes_of_text(image), size);
  if (!header)
    return 0;
  if (seen.magic != image_magic::qcow2 || seen.version != header->version
      || seen.backing_file == header->backing_file.empty() || seen.data_file != header->data_file)
    std::abort();
  return 0;
}
