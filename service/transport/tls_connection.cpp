// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/transport/tls_connection.hpp"

#include <caf/io/network/native_socket.hpp>

#include <sys/epoll.h>

#include <utility>

namespace crosvisor::transport {

using caf::io::network::operation;
using caf::io::network::rw_state;

rw_state tls_policy::read_some(std::size_t& result, socket, void* to, std::size_t size) {
  result = 0;
  auto step = session_.handshake();
  // It takes the room of its subject from now on, and no more of those that nobody knows.
  if (step == tls_step::done && !owner_.identify())
    return state::failure;
  if (step == tls_step::done)
    step = session_.read(result, to, size);
  if (result > 0)
    owner_.heard();
  return judge(step);
}

rw_state tls_policy::write_some(std::size_t& result, socket, const void* from, std::size_t size) {
  result = 0;
  if (size == 0)
    return judge(session_.flush()) == rw_state::failure ? rw_state::failure
                                                        : rw_state::indeterminate;
  // Success of nothing has CAF try again when the socket takes more.
  auto done = judge(session_.write(result, from, size));
  return done == rw_state::failure ? done : rw_state::success;
}

rw_state tls_policy::judge(tls_step step) {
  if (step == tls_step::done)
    return rw_state::success;
  if (step == tls_step::waiting)
    return rw_state::indeterminate;
  // One that this side has ended may fail, too, and nobody waits to hear of it.
  if (auto tell = std::exchange(on_failure_, nullptr);
      tell && session_.failed() && !owner_.detached())
    tell(session_);
  return rw_state::failure;
}

bool tls_stream::reads() const noexcept {
  return (eventbf() & EPOLLIN) != 0;
}

void tls_stream::handle_event(operation event) {
  handle_event_impl(event, policy_);
  if (event == operation::write && session_.pending() > 0 && reads())
    handle_event_impl(operation::read, policy_);
  if (event != operation::propagate_error && session_.blocked() && !session_.failed()
      && !owner_.detached())
    force_empty_write(&owner_);
}

tls_connection::tls_connection(caf::io::network::default_multiplexer& loop, io::unique_fd socket,
                               connection_terms terms, std::shared_ptr<tls_session> session,
                               tls_policy::failure_handler on_failure)
    : guarded_connection(std::move(terms)),
      session_(std::move(session)),
      stream_(loop, socket.release(), *session_, std::move(on_failure), *this) {}

std::size_t tls_connection::read_now(char* to, std::size_t size) {
  std::size_t got = 0;
  session_->read(got, to, size);
  return got;
}

void tls_connection::graceful_shutdown() {
  if (!stream_.idle() && loop_writes())
    stream_.handle_event(operation::write);
  if (stream_.idle() && wr_buf().empty())
    session_->close();
  guarded_connection::graceful_shutdown();
}

} // namespace crosvisor::transport
