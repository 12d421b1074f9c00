// SPDX-License-Identifier: Apache-2.0
// What a guest leaves behind of its crashes.
#pragma once

#include "crosvisor/io/backend.hpp"
#include "crosvisor/io/event_loop.hpp"
#include "crosvisor/io/log/rotating_file.hpp"
#include "crosvisor/io/unique_fd.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace crosvisor::io {

/// The host's port for them, as in Android: each connection is one file, up to its end.
inline constexpr std::uint32_t crash_file_port = 2000;

/// A name like those of the logs that it lies among; older ones are `crash.log.1` and so on.
inline constexpr const char* crash_file_name = "crash.log";

/// How many files of one VM are taken at a time; more are closed.
inline constexpr unsigned max_crash_connections = 4;

/// Receives one VM's crash files, and keeps the newest among its logs. What is larger than the
/// bound is cut there, and its connection closed; so is one that takes too long. What had come by
/// then is kept, also when the guest died meanwhile. Everything in them is a stranger's. Any
/// thread.
class crash_files : public std::enable_shared_from_this<crash_files> {
public:
  /// The folder of the VM's logs; null: there is none.
  using folder_opener = std::function<std::shared_ptr<const unique_fd>()>;

  /// @param loop its thread receives, and writes, which may block as writing logs does.
  /// @param folder called with the first file, on that thread.
  /// @param bounds how many files, at least one, and the bytes of each.
  crash_files(event_loop& loop, vm_cid cid, folder_opener folder, log_bounds bounds,
              std::chrono::milliseconds bound = std::chrono::seconds{30});

  /// Receives a file.
  void take(stream_socket socket);

  /// How many files have come.
  unsigned received() const noexcept { return received_; }

private:
  struct connection;

  void begin(const stream_socket& socket);
  void wait(const std::shared_ptr<connection>& from);
  void read(const std::shared_ptr<connection>& from);
  void end(const std::shared_ptr<connection>& from);
  void save(const std::string& bytes);

  event_loop& loop_;
  const vm_cid cid_;
  const folder_opener folder_;
  const log_bounds bounds_;
  const std::chrono::milliseconds bound_;
  std::atomic<unsigned> received_ = 0;

  // The loop's.
  std::optional<rotating_file> files_;
  unsigned connections_ = 0;
};

} // namespace crosvisor::io
