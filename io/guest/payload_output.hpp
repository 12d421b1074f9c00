// SPDX-License-Identifier: Apache-2.0
// A payload's output, from the guest's connections to everyone who reads it.
#pragma once

#include "crosvisor/io/backend.hpp"
#include "crosvisor/io/event_loop.hpp"
#include "crosvisor/io/guest/output_window.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>

#include <functional>
#include <map>
#include <memory>
#include <vector>

namespace crosvisor::io {

/// How much output is kept for readers that come late or are slow, in bytes.
inline constexpr std::size_t kept_output_bytes = 1u << 20;

/// How many connections may wait for the one before them to end; more are closed.
inline constexpr std::size_t max_output_connections = 16;

/// See guest_streams. All calls on the loop's thread.
class payload_output : public std::enable_shared_from_this<payload_output> {
public:
  using reader_id = guest_streams::reader_id;

  payload_output(event_loop& loop, std::size_t kept_bytes, std::size_t reread_bytes = 0);

  void take(const stream_socket& socket);

  /// A reader that writes to `socket`, and shuts it down in the end.
  void add_socket_reader(reader_id reader, unique_fd socket);
  void add_chunk_reader(reader_id reader, guest_streams::chunk_handler handler);
  void grant(reader_id reader, std::uint64_t bytes);
  void remove_reader(reader_id reader);

  /// No connection is taken any more; those that are there are read to their end, without waiting
  /// for readers. Then, or when cut() is called, `done` is called.
  void finish(std::function<void()> done);

  /// Reads no further.
  void cut();

  /// Lets go of everything at once, but for readers that still have something to read after
  /// finish().
  void let_go();

  /// Calls `done` once, when the output is over and nobody reads it any more; perhaps at once.
  void when_unread(std::function<void()> done);

private:
  using descriptor = boost::asio::posix::stream_descriptor;

  struct chunk_reader {
    guest_streams::chunk_handler handler;
    std::uint64_t credit = 0;
  };
  struct socket_reader {
    descriptor socket;
    bool waiting = false;
  };

  void next_source();
  void wait_for_source();
  void read_source();
  void end_of_source();
  void check_finished();

  void serve_all();
  void serve(reader_id reader);
  void serve_chunks(reader_id reader, chunk_reader& to);
  bool serve_socket(reader_id reader, socket_reader& to);
  void end_reader(reader_id reader);
  bool is_over(reader_id reader) const;
  void check_unread();

  event_loop& loop_;
  output_window window_;
  std::vector<unique_fd> queue_; ///< Connections that wait for the present one's end.
  descriptor source_;
  bool source_waiting_ = false;
  bool finishing_ = false;
  bool over_ = false; ///< Nothing will be added any more.
  std::function<void()> done_;
  std::function<void()> unread_;
  std::map<reader_id, chunk_reader> chunk_readers_;
  std::map<reader_id, std::shared_ptr<socket_reader>> socket_readers_;
};

} // namespace crosvisor::io
