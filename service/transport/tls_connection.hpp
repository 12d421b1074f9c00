// SPDX-License-Identifier: Apache-2.0
// A guarded connection over TLS.
#pragma once

#include "crosvisor/io/unique_fd.hpp"
#include "crosvisor/service/transport/guarded_connection.hpp"
#include "crosvisor/service/transport/tls_session.hpp"

#include <caf/io/network/default_multiplexer.hpp>
#include <caf/io/network/operation.hpp>
#include <caf/io/network/rw_state.hpp>
#include <caf/io/network/stream.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <utility>

namespace crosvisor::transport {

/// A session as CAF's stream policy. Its handshake goes on with each read, since CAF writes nothing
/// before it is done.
class tls_policy {
public:
  using state = caf::io::network::rw_state;
  using socket = caf::io::network::native_socket;

  using failure_handler = std::function<void(const tls_session&)>;

  /// @param on_failure called once when the session fails, before CAF hears of it.
  tls_policy(tls_session& session, failure_handler on_failure, guarded_connection& owner)
      : session_(session), on_failure_(std::move(on_failure)), owner_(owner) {}

  state read_some(std::size_t& result, socket fd, void* to, std::size_t size);
  state write_some(std::size_t& result, socket fd, const void* from, std::size_t size);

  /// The loop would not say that there is more.
  bool must_read_more(socket, std::size_t threshold) const {
    auto pending = session_.pending();
    return pending > 0 && pending >= threshold;
  }

private:
  state judge(tls_step step);

  tls_session& session_;
  failure_handler on_failure_;
  guarded_connection& owner_;
};

/// CAF's stream over a session. CAF's own stream_impl reads for readers and writes for writers
/// alone; TLS may have to write for a reader, and has read bytes that no event tells of.
class tls_stream final : public caf::io::network::stream {
public:
  tls_stream(caf::io::network::default_multiplexer& loop, caf::io::network::native_socket socket,
             tls_session& session, tls_policy::failure_handler on_failure,
             guarded_connection& owner)
      : stream(loop, socket),
        session_(session),
        policy_(session, std::move(on_failure), owner),
        owner_(owner) {}

  void handle_event(caf::io::network::operation event) override;

  /// Whether nothing is being written.
  bool idle() const noexcept { return !state_.writing && !session_.blocked(); }

private:
  bool reads() const noexcept;

  tls_session& session_;
  tls_policy policy_;
  guarded_connection& owner_;
};

/// The service's or a client's end of a connection. Runs on CAF's I/O thread.
class tls_connection final : public guarded_connection {
public:
  /// @param socket the one of `session`, whose owner this is from now on.
  /// @param on_failure see tls_policy.
  tls_connection(caf::io::network::default_multiplexer& loop, io::unique_fd socket,
                 connection_terms terms, std::shared_ptr<tls_session> session,
                 tls_policy::failure_handler on_failure);

  /// Says goodbye, too, where that goes without waiting.
  void graceful_shutdown() override;

protected:
  caf::io::network::stream& stream() override { return stream_; }
  std::size_t read_now(char* to, std::size_t size) override;

private:
  std::shared_ptr<tls_session> session_;
  tls_stream stream_;
};

} // namespace crosvisor::transport
