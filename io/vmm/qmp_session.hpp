// SPDX-License-Identifier: Apache-2.0
// What is said on one QMP connection, in its order. The event loop's thread alone.
#pragma once

#include "crosvisor/io/vmm/exit_table.hpp"
#include "crosvisor/io/vmm/qmp_message.hpp"
#include "crosvisor/io/vmm/vmm_driver.hpp"

#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>

#include <array>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>

namespace crosvisor::io {

/// Keeps itself alive while it reads; abandon() or conclude() ends that.
class qmp_session : public std::enable_shared_from_this<qmp_session> {
public:
  using answer = std::function<void(result<nlohmann::json>)>;

  qmp_session(event_loop& loop, unique_fd socket, channel_callbacks callbacks,
              control_timeouts timeouts);

  void start();

  /// Asks `command` of QEMU; `done` is called once, within the bound, with what it returns.
  void ask(const std::string& command, const nlohmann::json& arguments, answer done);

  /// See vmm_channel::conclude.
  void conclude(exit_status status, std::function<void(vmm_exit)> done);

  /// Answers what is pending, closes the channel and calls nobody any more.
  void abandon();

private:
  /// What is next to come from QEMU.
  enum class phase {
    greeting,
    capabilities, ///< The answer to qmp_capabilities.
    start,        ///< The answer to the first cont.
    up,
    closed, ///< Nothing: the connection is gone.
  };

  struct pending {
    answer done;
    std::unique_ptr<boost::asio::steady_timer> deadline;
  };

  void read();
  void take(std::string_view bytes);
  void handle(const std::string& line);
  void handle(const qmp_greeting&);
  void handle(const qmp_answer& what);
  void handle(const qmp_event& what);
  void go_on(const qmp_answer& what);
  void ask_status();
  void read_status(const std::string& status);
  void become_up();
  void send(std::string text);
  void send_waiting();
  void write();
  void expire(std::uint64_t id);
  void report_nonsense(std::string_view bytes);
  void report_fault(const std::string& what);
  void close(const std::string& why);
  void finish();

  event_loop& loop_;
  boost::asio::local::stream_protocol::socket socket_;
  channel_callbacks callbacks_;
  control_timeouts timeouts_;
  phase phase_ = phase::greeting;
  line_framer framer_;
  std::array<char, 4096> in_{};
  /// What is still to be written, the first one being written while `writing_`.
  std::deque<std::string> out_;
  bool writing_ = false;
  std::uint64_t last_id_ = 0;
  std::map<std::uint64_t, pending> pending_;
  /// Those of the pending requests that wait for the handshake's end, by id.
  std::map<std::uint64_t, std::string> waiting_;
  bool status_asked_ = false;
  /// The guest was stopped after the status was asked, so the answer may be too old.
  bool status_outdated_ = false;
  qemu_record record_;
  exit_status status_;
  std::function<void(vmm_exit)> concluded_;
  std::unique_ptr<boost::asio::steady_timer> last_words_;
};

} // namespace crosvisor::io
