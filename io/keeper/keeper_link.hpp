// SPDX-License-Identifier: Apache-2.0
// A service's connection to a keeper: what is told and asked.
#pragma once

#include "crosvisor/io/event_loop.hpp"
#include "crosvisor/io/keeper/keeper_channel.hpp"
#include "crosvisor/io/result.hpp"
#include "crosvisor/io/unique_fd.hpp"

#include <nlohmann/json.hpp>

#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace crosvisor::io {

/// How long a keeper may take to answer what takes no time of its own.
inline constexpr std::chrono::seconds keeper_answer_bound{15};

/// A packet's object and what came with it.
struct keeper_message {
  nlohmann::json body;
  std::string bytes;
  std::vector<unique_fd> fds;
};

/// Used on the loop's thread alone; made on any. What is sent before it is open waits for that.
class keeper_link : public std::enable_shared_from_this<keeper_link> {
public:
  /// `answer`, by which it is done; else why there is none: what the keeper says, ETIMEDOUT, or
  /// ENOTCONN after the end.
  using answered = std::function<void(result<keeper_message> answer)>;

  struct handlers {
    std::function<void(const std::string& type, keeper_message)> on_message;
    /// The connection has ended, not by close(); `why` is for people. All that was asked has been
    /// answered.
    std::function<void(std::string why)> on_end;
  };

  explicit keeper_link(event_loop& loop) : loop_(loop) {}

  /// @param socket connected to the keeper.
  result<void> open(unique_fd socket, handlers told);

  void send(nlohmann::json body, std::vector<unique_fd> fds = {});

  /// `done` is called once, not from within.
  void request(nlohmann::json body, std::chrono::milliseconds bound, answered done);

  /// Ends it; all that was asked is answered.
  void close();

private:
  struct pending {
    answered done;
    std::unique_ptr<boost::asio::steady_timer> deadline;
  };

  void receive(keeper_packet packet);
  void take_answer(keeper_message message);
  void answer(std::uint64_t id, result<keeper_message> with);
  void end(std::string why);

  event_loop& loop_;
  handlers handlers_;
  std::shared_ptr<keeper_channel> channel_; // Null: not yet open, or closed.
  bool closed_ = false;
  std::vector<keeper_packet> early_;
  std::map<std::uint64_t, pending> pending_;
  std::uint64_t next_id_ = 1;
};

} // namespace crosvisor::io
