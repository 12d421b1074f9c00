// SPDX-License-Identifier: Apache-2.0
// A guarded connection over any of CAF's stream policies.
#pragma once

#include "crosvisor/service/transport/guarded_connection.hpp"

#include <caf/io/network/default_multiplexer.hpp>
#include <caf/io/network/native_socket.hpp>
#include <caf/io/network/stream_impl.hpp>

#include <utility>

namespace crosvisor::transport {

/// @tparam Policy reads and writes a socket's bytes: caf::policy::tcp, also for AF_UNIX, or one
/// like it, without a state. Its bytes are judged by terms.guard.
template <class Policy>
class guarded_scribe final : public guarded_connection {
public:
  /// @param socket taken over.
  guarded_scribe(caf::io::network::default_multiplexer& loop,
                 caf::io::network::native_socket socket, connection_terms terms)
      : guarded_connection(std::move(terms)), stream_(loop, socket) {}

protected:
  caf::io::network::stream& stream() override { return stream_; }

  std::size_t read_now(char* to, std::size_t size) override {
    std::size_t got = 0;
    Policy::read_some(got, stream_.fd(), to, size);
    return got;
  }

private:
  caf::io::network::stream_impl<Policy> stream_;
};

} // namespace crosvisor::transport
