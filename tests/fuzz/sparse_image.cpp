// SPDX-License-Identifier: Apache-2.0
// The reader of Android sparse images: any file is refused or reads the same in pieces as whole.
#include "crosvisor/io/disk/sparse_image.hpp"
#include "crosvisor/tests/io/disk/memory_file.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>

using namespace crosvisor;

namespace {

void expect(bool holds) {
  if (!holds)
    std::abort();
}

/// Goes over the disk by its extents, a bounded number of them, and reads each one's ends.
void read_extents(const io::sparse_image& image) {
  std::uint64_t at = 0;
  for (int i = 0; i < 64 && at < image.size_bytes(); ++i) {
    auto extent = image.extent_at(at);
    expect(extent.bytes > 0 && extent.bytes <= image.size_bytes() - at);
    auto count = std::min<std::uint64_t>(extent.bytes, 256);
    std::string first(count, '?');
    std::string last(count, '?');
    expect(static_cast<bool>(image.read(first, at)));
    expect(static_cast<bool>(image.read(last, at + extent.bytes - count)));
    if (extent.zero)
      expect(first == std::string(count, '\0') && last == first);
    at += extent.bytes;
  }
}

void read_in_pieces(const io::sparse_image& image) {
  std::string whole(std::min<std::uint64_t>(image.size_bytes(), 4096), '?');
  expect(static_cast<bool>(image.read(whole, 0)));
  std::string pieces(whole.size(), '?');
  for (std::size_t at = 0; at < pieces.size(); at += 7) {
    auto count = std::min<std::size_t>(7, pieces.size() - at);
    expect(static_cast<bool>(image.read({pieces.data() + at, count}, at)));
  }
  expect(whole == pieces);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  tests::memory_file file{{reinterpret_cast<const char*>(data), size}};
  auto image = io::sparse_image::open(file.fd());
  if (!image) {
    expect(image.why().code == 0);
    return 0;
  }
  read_extents(*image);
  read_in_pieces(*image);
  return 0;
}
