// SPDX-License-Identifier: Apache-2.0
// What reads and writes a credited_socket.
#pragma once

#include "crosvisor/io/event_loop.hpp"
#include "crosvisor/io/stream/credited_socket.hpp"
#include "crosvisor/io/stream/write_queue.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

namespace crosvisor::io {

/// One socket on its loop's thread; see credited_socket. Kept alive by what it waits for.
class socket_streamer : public std::enable_shared_from_this<socket_streamer> {
public:
  socket_streamer(const std::shared_ptr<event_loop>& loop, credited_socket_callbacks callbacks,
                  std::shared_ptr<outflow> to);

  result<void> assign(unique_fd socket);

  // -- any thread -------------------------------------------------------------

  bool grant(std::uint64_t bytes);
  bool put(std::string bytes, bool last);

  /// Nothing is told from now on.
  void silence() noexcept { silent_ = true; }

  // -- the loop's thread --------------------------------------------------------

  void read();
  void write();
  void end();
  void finish(std::chrono::milliseconds bound);

  /// Closes the socket, and tells why.
  void end_all(const std::string& why);

private:
  void post(void (socket_streamer::*what)());
  bool may_read();
  void wait_to_read();
  void wait_to_write();
  void wait_for_hangup();
  void end_reading();
  /// @param broken the other end takes no more.
  void end_writing(bool broken);
  void end_if_over();
  void count_written(std::size_t bytes);

  event_loop& loop_;
  const std::weak_ptr<event_loop> loop_while_it_is_there_;
  credited_socket_callbacks callbacks_;
  const std::shared_ptr<outflow> to_;
  boost::asio::posix::stream_descriptor socket_;
  boost::asio::steady_timer finish_timer_;

  std::atomic<std::uint64_t> granted_{0}; ///< And not read.
  std::atomic<bool> silent_ = false;

  std::mutex mutex_; ///< Of what follows.
  write_queue queue_;
  std::uint64_t room_;      ///< What may be put.
  bool put_last_ = false;   ///< Nothing may be put any more.
  bool will_write_ = false; ///< write() comes, or waits for the socket.

  // Of the loop's thread alone.
  std::uint64_t untold_ = 0; ///< Written, and on_written not called for them.
  bool waiting_to_read_ = false;
  bool waiting_for_room_ = false;
  bool read_ended_ = false;
  bool write_ended_ = false;
  bool hung_up_ = false;
  bool ending_ = false;
  bool finishing_ = false;
  bool finish_late_ = false; ///< What does not come at once is not waited for.
  bool over_ = false;
};

} // namespace crosvisor::io
