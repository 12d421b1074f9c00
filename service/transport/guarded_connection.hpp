// SPDX-License-Identifier: Apache-2.0
// One connection between CAF and another process, behind its guard.
#pragma once

#include "crosvisor/io/result.hpp"
#include "crosvisor/io/stream/outflow.hpp"
#include "crosvisor/service/transport/basp_guard.hpp"
#include "crosvisor/service/transport/connection_quota.hpp"

#include <caf/io/network/stream.hpp>
#include <caf/io/scribe.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace crosvisor::transport {

struct connection_terms {
  /// Judges what is received.
  std::unique_ptr<basp_guard> guard;
  /// The connection's room; null for a client's, which is its own.
  std::unique_ptr<connection_slot> slot = nullptr;
  /// Called once, before the first byte is judged: finds out who it is and tells the guard and the
  /// slot. A failure ends the connection. Empty where that is known already.
  std::function<io::result<void>(basp_guard&, connection_slot*)> identify = nullptr;
  /// The service says nothing before its client has shaken hands; a client begins.
  bool waits_for_greeting = true;
  /// A stream that has to write before anybody asked it to, as TLS does.
  bool writes_first = false;
  /// From now until the handshake is done.
  std::chrono::milliseconds handshake = std::chrono::seconds{5};
  /// Signs of life are sent every third of it, and every two seconds at least, and it ends when
  /// there were none for so long; zero: neither.
  std::chrono::milliseconds silence = std::chrono::milliseconds{0};
  /// Of what was sent but not read.
  std::size_t unread_bytes = 8u << 20;
  /// Told how much that is; null: nobody asks.
  std::shared_ptr<io::outflow> outflow = nullptr;
  /// Called once when this side ends it, with why; on the I/O thread.
  std::function<void(const std::string& why)> on_end = nullptr;
};

/// A scribe, CAF's word for a connection, whose bytes reach CAF only once its guard passed them.
/// All of it runs on CAF's I/O thread.
class guarded_connection : public caf::io::scribe {
public:
  using clock = std::chrono::steady_clock;

  explicit guarded_connection(connection_terms terms);

  /// Sends and checks signs of life and deadlines.
  /// @returns whether it wants to be called again, in a moment.
  bool tick(clock::time_point now);

  /// The other side lives: something came, if not yet enough to be judged.
  void heard() noexcept { heard_ = clock::now(); }

  /// Finds out who it is, where that is still to be done; for a transport that knows before the
  /// first byte. @returns whether it may stay; else it is ended.
  bool identify();

  /// Ends it. The broker hears of it by the loop's next event.
  void end(const std::string& why);

  /// Ends it as end() does, because this side ends: what can be sent without waiting is. To be
  /// called again, in a later turn of the loop, for as long as the broker has it: it waits for the
  /// turn in which the loop knows that there is something to send.
  void cut();

  // -- what CAF calls ---------------------------------------------------------

  void configure_read(caf::io::receive_policy::config config) override;
  void ack_writes(bool enable) override;
  std::vector<char>& wr_buf() override;
  std::vector<char>& rd_buf() override;
  void flush() override;
  bool consume(caf::execution_unit* context, const void* data, std::size_t size) override;
  void data_transferred(caf::execution_unit* context, std::size_t written,
                        std::size_t remaining) override;
  void graceful_shutdown() override;
  std::string addr() const override { return {}; }
  std::uint16_t port() const override { return 0; }
  void add_to_loop() override;
  void remove_from_loop() override;

protected:
  virtual caf::io::network::stream& stream() = 0;

  caf::message detach_message() override;

  /// Reads what is there, without waiting; for when CAF reads no more. @returns how many bytes.
  virtual std::size_t read_now(char* to, std::size_t size) = 0;

  /// Whether the loop knows that there is something to write. CAF forgets to let go of whoever
  /// writes, and with it of the descriptor, if it is written before.
  bool loop_writes();

private:
  void cut_now();
  bool judge(caf::execution_unit* context, std::string_view bytes);
  bool await_payload();
  bool deliver(caf::execution_unit* context);
  bool finish(caf::execution_unit* context);
  void hear_last_word();
  void look_after();
  bool account();
  /// Tells that so many bytes are not written.
  void tell_unwritten(std::size_t bytes);
  void send_heartbeat();

  connection_terms terms_;
  clock::time_point born_ = clock::now();
  clock::time_point heard_ = born_;
  clock::time_point sent_ = born_;
  std::vector<char> header_;
  bool launched_ = false;
  bool in_payload_ = false;
  bool passes_ = false;
  bool ending_ = false;
  /// The stream has a buffer that grew large.
  bool bloated_ = false;
  /// Bytes that the stream is writing; those in wr_buf() follow.
  std::size_t in_flight_ = 0;
  /// As it was told last.
  std::size_t unwritten_ = 0;
};

} // namespace crosvisor::transport
