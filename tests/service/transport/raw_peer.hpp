// SPDX-License-Identifier: Apache-2.0
// A client that speaks CAF's protocol without CAF, and says what it likes.
#pragma once

#include "crosvisor/io/unique_fd.hpp"
#include "crosvisor/service/transport/basp_header.hpp"
#include "crosvisor/service/transport/node_key.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace crosvisor::tests {

/// A connected stream, of any transport. Everything is bounded in time by the test's patience.
class raw_stream {
public:
  virtual ~raw_stream() = default;

  /// Sends all; false where the other side does not take it any more.
  virtual bool send(const std::string& bytes) = 0;

  /// Exactly so many bytes; nothing where the other side ended before.
  virtual std::optional<std::string> receive(std::size_t bytes) = 0;
};

/// Makes a stream to a service; null: can't. The attacks run on any transport that has one.
using raw_connect = std::function<std::unique_ptr<raw_stream>()>;

/// Over a Unix socket. Waits where the listener's queue is full.
raw_connect raw_unix(std::string path);

/// One client.
class raw_peer {
public:
  explicit raw_peer(std::unique_ptr<raw_stream> stream) : stream_(std::move(stream)) {}

  /// Shakes hands, and reads the service's own handshake; false where it ends instead.
  bool greet(const transport::node_key& own);

  bool send(const std::string& bytes) { return stream_ && stream_->send(bytes); }

  struct frame {
    transport::basp_header header;
    std::string payload;
  };

  /// The next frame; nothing at the end.
  std::optional<frame> receive();

  /// Whether the service ends the connection, whatever it says before.
  bool ends();

  /// Whether a list of VMs is answered, with the door's own words skipped that come before.
  bool served();

  const transport::node_key& service() const { return service_; }
  std::uint64_t door() const { return door_; }

private:
  std::unique_ptr<raw_stream> stream_;
  transport::node_key service_;
  std::uint64_t door_ = 0;
};

} // namespace crosvisor::tests
