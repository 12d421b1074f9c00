// SPDX-License-Identifier: Apache-2.0
// Takes what a guest writes, and keeps a bounded part of it.
#pragma once

#include "crosvisor/io/event_loop.hpp"
#include "crosvisor/io/log/log_bounds.hpp"
#include "crosvisor/io/result.hpp"
#include "crosvisor/io/unique_fd.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace crosvisor::io {

/// Reads one pipe and keeps what comes out of it in rotated files, or passes it on to a descriptor
/// of the client's. A flood costs the bound and no more; a full disk or a slow client costs this
/// log's bytes or speed and nothing else. Made on any thread, works on the loop's, which outlives
/// it. Letting go of it drops what is still in the pipe.
class console_log {
public:
  virtual ~console_log() = default;

  /// The end for the VMM to inherit. From the thread that made it, like close_writer().
  virtual int writer() const noexcept = 0;

  /// Once the VMM runs: closes our copy of its end, and begins to read. What is written before that
  /// waits in the pipe; a log that is let go of before it has touched no other thread.
  virtual void close_writer() = 0;

  /// After the VMM has ended: takes what is still in the pipe, closes everything, and calls `done`
  /// once, on the loop's thread, with the last bytes that were seen, at most 4 KiB; none of those
  /// that went to a descriptor, and all that was kept in memory. Never waits longer than a second.
  /// Any thread; call it once.
  virtual void finish(std::function<void(std::string tail)> done) = 0;
};

/// To files of `name` in the directory `dir`; the first is made with its first byte.
result<std::shared_ptr<console_log>> log_to_files(event_loop& loop,
                                                  std::shared_ptr<const unique_fd> dir,
                                                  const std::string& name, log_bounds bounds);

/// To `sink`, which is taken over and whose flags are left as they are, since others may share
/// them. A pipe, a socket or a terminal that takes no more makes the guest wait; one that breaks
/// (EPIPE) swallows the rest. A file is written where its offset stands. What can keep its writer
/// waiting whatever poll(2) says has a thread of its own (output_relay.hpp), and may get its last
/// bytes after finish() is done.
result<std::shared_ptr<console_log>> log_to_descriptor(event_loop& loop, unique_fd sink);

/// To memory, the first `most` bytes, which finish() answers with instead of the last; the rest is
/// read and dropped.
result<std::shared_ptr<console_log>> log_to_memory(event_loop& loop, std::size_t most);

} // namespace crosvisor::io
