// SPDX-License-Identifier: Apache-2.0
// How a daemon tells Prometheus.
#include "crosvisor/service/daemon/running_daemon.hpp"

#include "crosvisor/io/logging.hpp"
#include "crosvisor/messages/error.hpp"

#include <caf/event_based_actor.hpp>

#include <utility>

namespace crosvisor {

namespace {

/// The door has the answer within its own bounds.
constexpr caf::timespan metrics_bound = std::chrono::seconds{15};

void ask_for_metrics(caf::event_based_actor* self, const door_actor& door,
                     const std::function<void(io::result<std::vector<metric_family>>)>& done) {
  self->request(door, metrics_bound, caf::get_atom::value, metrics_atom::value)
    .then([done](std::vector<metric_family>& all) { done(std::move(all)); },
          [done](const caf::error& why) {
            done(io::failure{0, sentence_of(why)});
          });
}

} // namespace

io::result<void> running_daemon::serve_metrics() {
  if (!sockets_->metrics)
    return {};
  io::metrics_server_options options;
  options.listening = std::move(sockets_->metrics);
  options.checks_host = config_.metrics->path.empty();
  options.source = [&system = service_->system(), door = door_](
                     std::function<void(io::result<std::vector<metric_family>>)> done) {
    system.spawn(ask_for_metrics, door, std::move(done));
  };
  auto opened = io::metrics_server::open(std::move(options));
  if (!opened)
    return opened.why();
  metrics_ = std::move(*opened);
  log::info("daemon serves metrics at {}",
            config_.metrics->path.empty()
              ? config_.metrics->address + ":" + std::to_string(config_.metrics->port)
              : config_.metrics->path);
  return {};
}

} // namespace crosvisor
