// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/disk/sparse_image.hpp"

#include "crosvisor/io/disk/byte_order.hpp"
#include "crosvisor/io/disk/image_size.hpp"
#include "crosvisor/io/disk/sparse_header.hpp"
#include "crosvisor/io/file_bytes.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <string_view>

namespace crosvisor::io {

namespace {

constexpr std::uint16_t raw_chunk = 0xcac1;
constexpr std::uint16_t fill_chunk = 0xcac2;
constexpr std::uint16_t dont_care_chunk = 0xcac3;
constexpr std::uint16_t crc32_chunk = 0xcac4;

constexpr std::size_t chunk_header_bytes = 12;
constexpr std::uint64_t pattern_bytes = 4;

/// A chunk's header, and where what follows it lies in the file.
struct chunk {
  std::uint16_t type = 0;
  std::uint32_t blocks = 0;
  std::uint64_t data_at = 0;
  std::uint64_t data_bytes = 0;
};

} // namespace

/// Goes through the chunks, and keeps what they stand for.
class sparse_image::parser {
public:
  explicit parser(int fd) { made_.fd_ = fd; }

  result<sparse_image> parse() {
    if (auto read = read_header(); !read)
      return read.why();
    for (number_ = 0; number_ < header_.chunks; ++number_) {
      auto next = read_chunk();
      if (!next)
        return next.why();
      if (auto taken = take(*next); !taken)
        return taken.why();
    }
    if (blocks_ != header_.blocks)
      return bad("has chunks of " + std::to_string(blocks_) + " blocks, and says that it has "
                 + std::to_string(header_.blocks));
    return std::move(made_);
  }

private:
  static failure bad(const std::string& what) { return {0, "sparse image: " + what}; }
  failure bad_chunk(const std::string& what) const {
    return bad("chunk " + std::to_string(number_) + " " + what);
  }

  result<void> read_header() {
    auto size = file_size(made_.fd_);
    if (!size)
      return failure{size.why().code, "sparse image: " + size.why().what};
    file_bytes_ = *size;
    auto bytes = read_at(made_.fd_, 0, sparse_header_bytes);
    if (!bytes)
      return failure{bytes.why().code, "sparse image: " + bytes.why().what};
    auto header = parse_sparse_header(*bytes);
    if (!header)
      return header.why();
    header_ = *header;
    if (header_.chunks > max_sparse_chunks)
      return bad("has " + std::to_string(header_.chunks) + " chunks; at most "
                 + std::to_string(max_sparse_chunks) + " are read");
    made_.size_bytes_ = header_.image_bytes();
    at_ = header_.header_bytes;
    return {};
  }

  result<chunk> read_chunk() {
    if (at_ > file_bytes_ || file_bytes_ - at_ < header_.chunk_header_bytes)
      return bad_chunk("begins at " + std::to_string(at_) + ", where the file ends");
    std::array<char, chunk_header_bytes> bytes{};
    if (auto read = read_all_at(made_.fd_, at_, bytes); !read)
      return failure{read.why().code, "sparse image: " + read.why().what};
    std::string_view text{bytes.data(), bytes.size()};
    auto whole = little_endian<std::uint32_t>(text, 8);
    if (whole < header_.chunk_header_bytes || whole > file_bytes_ - at_)
      return bad_chunk("has " + std::to_string(whole) + " bytes at " + std::to_string(at_)
                       + ", which the file has not");
    chunk next{little_endian<std::uint16_t>(text, 0), little_endian<std::uint32_t>(text, 4),
               at_ + header_.chunk_header_bytes, whole - header_.chunk_header_bytes};
    at_ += whole;
    return next;
  }

  result<void> take(const chunk& next) {
    switch (next.type) {
      case raw_chunk: return take_raw(next);
      case fill_chunk: return take_fill(next);
      case dont_care_chunk:
        return expect_data(next, 0) ? add(next, {0, 0, 0, kind::nothing}) : wrong_data(next);
      case crc32_chunk:
        return expect_data(next, pattern_bytes) && next.blocks == 0 ? result<void>{}
                                                                    : wrong_data(next);
      default: return bad_chunk("has the unknown type " + std::to_string(next.type));
    }
  }

  result<void> take_raw(const chunk& next) {
    if (!expect_data(next, std::uint64_t{next.blocks} * header_.block_bytes))
      return wrong_data(next);
    return add(next, {0, next.data_at, 0, kind::raw});
  }

  result<void> take_fill(const chunk& next) {
    if (!expect_data(next, pattern_bytes))
      return wrong_data(next);
    std::uint32_t pattern = 0;
    std::array<char, pattern_bytes> bytes{};
    if (auto read = read_all_at(made_.fd_, next.data_at, bytes); !read)
      return failure{read.why().code, "sparse image: " + read.why().what};
    std::memcpy(&pattern, bytes.data(), bytes.size());
    return add(next, {0, 0, pattern, pattern == 0 ? kind::nothing : kind::fill});
  }

  static bool expect_data(const chunk& next, std::uint64_t bytes) {
    return next.data_bytes == bytes;
  }

  result<void> wrong_data(const chunk& next) const {
    return bad_chunk("has " + std::to_string(next.data_bytes) + " bytes of data for "
                     + std::to_string(next.blocks) + " blocks");
  }

  result<void> add(const chunk& next, region what) {
    if (next.blocks > header_.blocks - blocks_)
      return bad_chunk("ends behind the " + std::to_string(header_.blocks)
                       + " blocks of the image");
    what.begin = std::uint64_t{blocks_} * header_.block_bytes;
    blocks_ += next.blocks;
    auto& all = made_.regions_;
    auto goes_on = !all.empty() && all.back().what == kind::nothing && what.what == kind::nothing;
    if (next.blocks != 0 && !goes_on)
      all.push_back(what);
    return {};
  }

  sparse_image made_;
  sparse_header header_;
  std::uint64_t file_bytes_ = 0;
  std::uint64_t at_ = 0; // In the file.
  std::uint32_t number_ = 0;
  std::uint32_t blocks_ = 0;
};

result<sparse_image> sparse_image::open(int fd) {
  return parser{fd}.parse();
}

/// The region that `offset`, which is in the disk, lies in.
std::size_t sparse_image::find(std::uint64_t offset) const {
  auto behind =
    std::upper_bound(regions_.begin(), regions_.end(), offset,
                     [](std::uint64_t at, const region& one) { return at < one.begin; });
  return static_cast<std::size_t>(behind - regions_.begin()) - 1;
}

std::uint64_t sparse_image::end_of(std::size_t index) const {
  return index + 1 < regions_.size() ? regions_[index + 1].begin : size_bytes_;
}

result<void> sparse_image::read(std::span<char> to, std::uint64_t offset) const {
  if (offset > size_bytes_ || to.size() > size_bytes_ - offset)
    return failure{EIO, "sparse image: ends at " + std::to_string(size_bytes_)};
  if (to.empty())
    return {};
  for (auto i = find(offset); !to.empty(); ++i) {
    auto count = static_cast<std::size_t>(std::min<std::uint64_t>(to.size(), end_of(i) - offset));
    if (auto read = read_region(regions_[i], to.first(count), offset); !read)
      return read;
    to = to.subspan(count);
    offset += count;
  }
  return {};
}

result<void> sparse_image::read_region(const region& from, std::span<char> to,
                                       std::uint64_t offset) const {
  auto within = offset - from.begin;
  if (from.what == kind::raw)
    return read_all_at(fd_, from.file_at + within, to);
  if (from.what == kind::nothing) {
    std::fill(to.begin(), to.end(), '\0');
    return {};
  }
  // Regions begin at blocks, which are multiples of the pattern.
  std::array<char, pattern_bytes> pattern;
  std::memcpy(pattern.data(), &from.pattern, pattern.size());
  for (std::size_t i = 0; i < to.size(); ++i)
    to[i] = pattern[(within + i) % pattern_bytes];
  return {};
}

sparse_image::extent sparse_image::extent_at(std::uint64_t offset) const {
  if (offset >= size_bytes_)
    return {};
  auto at = find(offset);
  return {end_of(at) - offset, regions_[at].what == kind::nothing};
}

} // namespace crosvisor::io
