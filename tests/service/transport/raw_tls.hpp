// SPDX-License-Identifier: Apache-2.0
// A client that has a certificate, and then says what it likes.
#pragma once

#include "crosvisor/service/transport/tcp_connect.hpp"
#include "crosvisor/service/transport/tls_session.hpp"
#include "crosvisor/tests/io/leftovers.hpp"
#include "crosvisor/tests/service/transport/raw_peer.hpp"

#include <poll.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace crosvisor::tests {

/// Over TLS.
class tls_raw_stream final : public raw_stream {
public:
  tls_raw_stream(io::unique_fd socket, std::unique_ptr<transport::tls_session> session)
      : socket_(std::move(socket)), session_(std::move(session)) {}

  bool shake_hands() {
    auto step = session_->handshake();
    while (step == transport::tls_step::waiting
           || (step != transport::tls_step::failed && session_->blocked())) {
      if (!wait(session_->blocked() ? POLLIN | POLLOUT : POLLIN))
        return false;
      session_->flush();
      step = session_->handshake();
    }
    return step == transport::tls_step::done;
  }

  bool send(const std::string& bytes) override {
    std::size_t done = 0, taken = 0;
    while (done < bytes.size()) {
      auto step = session_->write(taken, bytes.data() + done, bytes.size() - done);
      done += taken;
      if (step == transport::tls_step::failed
          || (step == transport::tls_step::waiting && !wait(POLLOUT)))
        return false;
    }
    return true;
  }

  std::optional<std::string> receive(std::size_t bytes) override {
    std::string got(bytes, '\0');
    std::size_t done = 0, more = 0;
    while (done < bytes) {
      auto step = session_->read(more, got.data() + done, bytes - done);
      done += more;
      if (step == transport::tls_step::failed || step == transport::tls_step::ended
          || (step == transport::tls_step::waiting && !wait(POLLIN)))
        return std::nullopt;
    }
    return got;
  }

private:
  bool wait(int events) const {
    return transport::wait_for(socket_.get(), static_cast<short>(events), patience);
  }

  io::unique_fd socket_;
  std::unique_ptr<transport::tls_session> session_;
};

/// To localhost.
inline raw_connect raw_tls(std::uint16_t port,
                           std::shared_ptr<const transport::tls_identity> identity) {
  return [=]() -> std::unique_ptr<raw_stream> {
    auto socket = transport::connect_tcp("127.0.0.1", port, transport::deadline{patience});
    if (!socket)
      return nullptr;
    auto session = transport::tls_session::connect(*identity, socket->get(), "127.0.0.1");
    if (!session)
      return nullptr;
    auto stream = std::make_unique<tls_raw_stream>(std::move(*socket), std::move(*session));
    return stream->shake_hands() ? std::move(stream) : nullptr;
  };
}

} // namespace crosvisor::tests
