// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/transport/guarded_doorman.hpp"

#include "crosvisor/service/transport/guarded_broker.hpp"

#include <caf/io/network/native_socket.hpp>

#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace crosvisor::transport {

namespace {

/// So many connections, then others' events.
constexpr int accepts_at_a_time = 16;

} // namespace

guarded_doorman::guarded_doorman(caf::io::network::default_multiplexer& loop,
                                 io::unique_fd listening, std::uint16_t slot,
                                 std::shared_ptr<listener_terms> terms, connection_factory make)
    : doorman(caf::io::network::accept_hdl_from_socket(listening.get())),
      acceptor_(loop, listening.release(), *this),
      slot_(slot),
      terms_(std::move(terms)),
      make_(std::move(make)) {}

void guarded_doorman::acceptor::handle_event(caf::io::network::operation event) {
  if (event == caf::io::network::operation::read)
    owner_.accept_some();
}

void guarded_doorman::accept_some() {
  for (int i = 0; i < accepts_at_a_time && !detached(); ++i) {
    io::unique_fd accepted{
      ::accept4(acceptor_.fd(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)};
    if (accepted)
      take(std::move(accepted));
    else if (errno == EAGAIN || errno == EWOULDBLOCK)
      return;
    // These are of one client that is gone again (accept(2)).
    else if (errno != EINTR && errno != ECONNABORTED && errno != EPROTO && errno != EPERM)
      return wait(errno);
  }
}

void guarded_doorman::take(io::unique_fd accepted) {
  auto connection = make_(acceptor_.backend(), std::move(accepted));
  if (!connection)
    return;
  auto handle = connection->hdl();
  parent()->add_scribe(std::move(connection));
  doorman::new_connection(&acceptor_.backend(), handle);
}

void guarded_doorman::wait(int why) {
  terms_->complain(std::string{"nobody can be accepted for a moment: "} + std::strerror(why));
  remove_from_loop();
  static_cast<guarded_broker*>(parent())->pause(caf::intrusive_ptr<guarded_doorman>{this});
}

bool guarded_doorman::resume() {
  // CAF takes it out of the loop at the end of the turn in which it was paused; put in before, it
  // would be taken out after.
  if (!detached() && acceptor_.eventbf() != 0)
    return false;
  if (!detached())
    add_to_loop();
  return true;
}

void guarded_doorman::launch() {
  acceptor_.start(this);
}

void guarded_doorman::graceful_shutdown() {
  // Not shutdown(2): the socket may be systemd's too, which goes on with it.
  detach(&acceptor_.backend(), false);
}

} // namespace crosvisor::transport
