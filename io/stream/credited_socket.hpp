// SPDX-License-Identifier: Apache-2.0
// A connected stream socket whose bytes come and go in pieces, with credit.
#pragma once

#include "crosvisor/io/result.hpp"
#include "crosvisor/io/stream/outflow.hpp"
#include "crosvisor/io/unique_fd.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace crosvisor::io {

/// Called on a thread of the socket's, one at a time; each may only send a message.
struct credited_socket_callbacks {
  /// What was read: within what was granted, at most max_stream_piece_bytes; empty for the last
  /// one, after which none follows.
  std::function<void(std::string bytes, bool last)> on_piece;
  /// So many of the bytes that were put have been written, and as many may be put again.
  std::function<void(std::uint64_t bytes)> on_written;
  /// The socket is closed, and nothing follows. `why`: what went wrong, in words; empty where both
  /// ways have ended. `hung_up`: the other end went, and took no more.
  std::function<void(bool hung_up, std::string why)> on_end;
};

/// Any thread; nothing blocks. Whoever lets go of it before its end is told nothing more.
class credited_socket {
public:
  virtual ~credited_socket() = default;

  /// Lets so many bytes more be read; none may be before. False where more than
  /// stream_window_bytes are granted and not read: then nothing is.
  virtual bool grant(std::uint64_t bytes) = 0;

  /// Writes bytes, and after the last ones shuts the socket's way down. False, and then they are
  /// not taken, where there are more than max_stream_piece_bytes, or more than may be put: at first
  /// stream_window_bytes; where there are none and it is not the last; and after the last. What the
  /// other end takes no more is dropped.
  virtual bool put(std::string bytes, bool last) = 0;

  /// Nothing is put any more, nor read: ends once all that was put is written.
  virtual void end() = 0;

  /// The process at the other end is gone: reads what it had written, which is bounded in time
  /// unless nobody grants it, and ends.
  virtual void finish() = 0;

  /// Ends at once, whatever waits.
  virtual void close() = 0;
};

/// One within this process.
struct local_credited_socket {
  std::shared_ptr<credited_socket> socket;
  unique_fd other_end; ///< Blocking, close-on-exec.
};

/// Makes them.
class credited_sockets {
public:
  virtual ~credited_sockets() = default;

  /// @param socket a connected one.
  /// @param to where its pieces go; null: nobody there can be slow.
  virtual result<std::shared_ptr<credited_socket>>
  make(unique_fd socket, credited_socket_callbacks callbacks, std::shared_ptr<outflow> to) = 0;

  /// The same with a socket of its own.
  result<local_credited_socket> make_local(credited_socket_callbacks callbacks);
};

/// Real ones, on a thread of their own, which begins with the first.
/// @param finish_bound how long finish() waits for what comes.
std::shared_ptr<credited_sockets>
make_credited_sockets(std::chrono::milliseconds finish_bound = std::chrono::seconds{2});

} // namespace crosvisor::io
