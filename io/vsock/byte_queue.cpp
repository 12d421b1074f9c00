// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/vsock/byte_queue.hpp"

#include <algorithm>

namespace crosvisor::io::vsock {

void byte_queue::append(std::span<const iovec> pieces, std::size_t skip) {
  if (head_ > bytes_.size() / 2) {
    bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(head_));
    head_ = 0;
  }
  for (auto& piece : pieces) {
    auto skipped = std::min(skip, piece.iov_len);
    skip -= skipped;
    auto* from = static_cast<const std::byte*>(piece.iov_base);
    bytes_.insert(bytes_.end(), from + skipped, from + piece.iov_len);
  }
}

void byte_queue::consume(std::size_t count) noexcept {
  head_ += count;
  if (empty())
    clear();
}

void byte_queue::clear() noexcept {
  std::vector<std::byte>{}.swap(bytes_);
  head_ = 0;
}

} // namespace crosvisor::io::vsock
