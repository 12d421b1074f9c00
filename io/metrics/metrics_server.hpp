// SPDX-License-Identifier: Apache-2.0
// Serves metrics to Prometheus: HTTP/1.1, `GET /metrics` and nothing else.
#pragma once

#include "crosvisor/io/result.hpp"
#include "crosvisor/io/unique_fd.hpp"
#include "crosvisor/messages/metrics.hpp"

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

namespace crosvisor::io {

class event_loop;

/// Gets the metrics, without blocking, and calls `done` once or never, on any thread.
using metrics_source =
  std::function<void(std::function<void(result<std::vector<metric_family>>)> done)>;

struct metrics_server_options {
  /// Listens: AF_UNIX or TCP, SOCK_STREAM.
  unique_fd listening;
  metrics_source source;
  /// Requests are answered only where their Host is this host's own loopback, so that no page in a
  /// browser here can ask. For TCP.
  bool checks_host = true;
  /// More wait until one of these has ended.
  std::size_t connections = 8;
  /// From a connection until its request is whole, and from then until its answer is read; then it
  /// is closed.
  std::chrono::milliseconds request_bound = std::chrono::seconds{5};
  std::chrono::milliseconds answer_bound = std::chrono::seconds{20};
};

/// How long a request may be, its header and all.
inline constexpr std::size_t max_metrics_request_bytes = 8192;

/// One request for each connection. What is no request, and what is too long or too slow, ends its
/// connection alone.
class metrics_server {
public:
  /// Serves on a thread of its own, `crosvisor-scrape`.
  static result<std::unique_ptr<metrics_server>> open(metrics_server_options options);

  metrics_server(const metrics_server&) = delete;
  metrics_server& operator=(const metrics_server&) = delete;
  /// Closes all.
  ~metrics_server();

private:
  class acceptor;
  class session;

  metrics_server() = default;

  std::shared_ptr<event_loop> loop_; ///< Ends after all that runs on it.
  std::shared_ptr<acceptor> acceptor_;
};

} // namespace crosvisor::io
