// SPDX-License-Identifier: Apache-2.0
// Streams' sockets that read and write nothing by themselves.
#pragma once

#include "crosvisor/io/stream/credited_socket.hpp"
#include "crosvisor/messages/stream_piece.hpp"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace crosvisor::tests {

/// Keeps the real one's rules of credit.
class fake_credited_socket final : public io::credited_socket {
public:
  fake_credited_socket(io::unique_fd own, io::credited_socket_callbacks to)
      : socket(std::move(own)), callbacks(std::move(to)) {}

  io::unique_fd socket;
  io::credited_socket_callbacks callbacks;
  std::uint64_t granted = 0;
  std::uint64_t room = stream_window_bytes;
  std::string bytes; ///< What was put.
  bool last = false;
  bool finished = false;
  bool closed = false;

  bool grant(std::uint64_t more) override {
    if (more > stream_window_bytes || granted > stream_window_bytes - more)
      return false;
    granted += more;
    return true;
  }
  bool put(std::string more, bool is_last) override {
    if (last || more.size() > max_stream_piece_bytes || more.size() > room
        || (more.empty() && !is_last))
      return false;
    room -= more.size();
    bytes += more;
    last = is_last;
    return true;
  }
  void end() override {}
  void finish() override { finished = true; }
  void close() override {
    if (!std::exchange(closed, true))
      callbacks.on_end(false, "");
  }
};

/// Those that were made, as long as the door has them.
class fake_credited_sockets final : public io::credited_sockets {
public:
  std::vector<std::weak_ptr<fake_credited_socket>> made;
  bool broken = false;

  io::result<std::shared_ptr<io::credited_socket>> make(io::unique_fd socket,
                                                        io::credited_socket_callbacks callbacks,
                                                        std::shared_ptr<io::outflow>) override {
    if (broken)
      return io::failure{24, "epoll_ctl: Too many open files"};
    auto one = std::make_shared<fake_credited_socket>(std::move(socket), std::move(callbacks));
    made.push_back(one);
    return std::shared_ptr<io::credited_socket>{one};
  }
};

} // namespace crosvisor::tests
