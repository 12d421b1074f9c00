// SPDX-License-Identifier: Apache-2.0
// The checksum of images.
#pragma once

#include "crosvisor/io/result.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace crosvisor::io {

/// SHA-256 of bytes that come one after the other. Use from one thread at a time.
class sha256 {
public:
  sha256();
  sha256(sha256&&) noexcept;
  sha256& operator=(sha256&&) noexcept;
  ~sha256();

  void add(std::string_view bytes) noexcept;

  /// 64 lower-case hexadecimal digits; nothing may be added any more. Empty where OpenSSL has
  /// failed, which it does without memory.
  std::string digits();

private:
  struct state;
  std::unique_ptr<state> state_;
};

/// Adds the first `size` bytes of a file. Blocks as long as reading does. EIO: it ends before that.
/// @param told is called now and then with how many are done; may be empty. False from it: it is
/// given up, with ECANCELED.
result<void> add_file(sha256& to, int fd, std::uint64_t size,
                      const std::function<bool(std::uint64_t)>& told = {});

} // namespace crosvisor::io
