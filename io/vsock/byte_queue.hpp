// SPDX-License-Identifier: Apache-2.0
// Bytes that a host socket did not take yet.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <span>
#include <vector>

namespace crosvisor::io::vsock {

/// First in, first out. Holds no memory while empty; credit bounds what is put in.
class byte_queue {
public:
  bool empty() const noexcept { return head_ == bytes_.size(); }
  std::size_t size() const noexcept { return bytes_.size() - head_; }
  std::span<const std::byte> front() const noexcept { return {bytes_.data() + head_, size()}; }

  /// Copies what the pieces hold, without their first `skip` bytes.
  void append(std::span<const iovec> pieces, std::size_t skip);
  /// @param count at most size().
  void consume(std::size_t count) noexcept;
  void clear() noexcept;

private:
  std::vector<std::byte> bytes_;
  std::size_t head_ = 0;
};

} // namespace crosvisor::io::vsock
