// SPDX-License-Identifier: Apache-2.0
// Where a log's bytes go. All calls on the loop's thread.
#pragma once

#include "crosvisor/io/event_loop.hpp"
#include "crosvisor/io/log/rotating_file.hpp"
#include "crosvisor/io/result.hpp"
#include "crosvisor/io/unique_fd.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace crosvisor::io {

/// Takes bytes, all of them or as many as it can without waiting.
class log_sink {
public:
  virtual ~log_sink() = default;

  /// How many bytes to offer at once; what is not taken of them has to be kept.
  virtual std::size_t chunk_bytes() const noexcept = 0;

  /// How many bytes were taken; a sink that is broken takes all.
  virtual std::size_t write(std::string_view bytes) = 0;

  /// Calls `ready` once, later, when write() may take more.
  virtual void wait(std::function<void()> ready) = 0;

  /// What is told of it in the end: the last bytes that it took, if it knows, at most 4 KiB; or all
  /// that it keeps in memory.
  virtual std::string tail() const = 0;
};

/// Rotated files, which take everything.
std::unique_ptr<log_sink> make_file_sink(rotating_file file);

/// Memory for the first `most` bytes.
std::unique_ptr<log_sink> make_memory_sink(std::size_t most);

/// A descriptor of somebody else's; see log_to_descriptor().
result<std::unique_ptr<log_sink>> make_descriptor_sink(event_loop& loop, unique_fd sink);

} // namespace crosvisor::io
