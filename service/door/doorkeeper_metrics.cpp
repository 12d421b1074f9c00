// SPDX-License-Identifier: Apache-2.0
// What the door and everybody behind it have counted and measured.
#include "crosvisor/service/door/doorkeeper.hpp"
#include "crosvisor/service/door/usage_reader.hpp"

#include "crosvisor/io/logged_events.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace crosvisor::door {

namespace {

using families = std::vector<metric_family>;

void append(families& to, families&& more) {
  std::move(more.begin(), more.end(), std::back_inserter(to));
}

} // namespace

void doorkeeper_state::count(door_request request, const caf::error& why) {
  auto denied = why == vm_errc::denied;
  counts_.count(request, denied);
  if (denied && (request == door_request::create || request == door_request::create_custom))
    log::event(log::logged_event::vm_refused, "a VM is refused: {}", sentence_of(why));
}

/// One after the other: what the actors behind the door have, the VMs, what is measured of those.
caf::result<families> doorkeeper_state::get_metrics(const permit& by) {
  auto counted = limits_.requests.take(by.who());
  if (!counted)
    return counted.error();
  auto answer = self_->make_response_promise<families>();
  // Those who come meanwhile wait with the first, so that nobody has more measured by asking often.
  metrics_wanted_.push_back({answer, std::move(*counted)});
  if (metrics_wanted_.size() > 1)
    return answer;
  self_
    ->request(options_.service, options_.timeouts.state, caf::get_atom::value, metrics_atom::value)
    .then([this](families& behind) { measure_vms(std::move(behind)); },
          [this](caf::error& why) { give_metrics(std::move(why)); });
  return answer;
}

void doorkeeper_state::measure_vms(families behind) {
  self_->request(options_.service, options_.timeouts.state, list_atom::value)
    .then(
      [this, behind = std::move(behind)](std::vector<vm_info>& vms) mutable {
        measure_processes(std::move(behind), std::move(vms));
      },
      [this](caf::error& why) { give_metrics(std::move(why)); });
}

void doorkeeper_state::measure_processes(families behind, std::vector<vm_info> vms) {
  if (!usage_reader_)
    usage_reader_ = options_.detached_usage_reader ? self_->spawn<caf::detached>(usage_reader)
                                                   : self_->spawn(usage_reader);
  self_
    ->request(usage_reader_, options_.timeouts.state, caf::get_atom::value, metrics_atom::value,
              std::move(vms))
    .then(
      [this, behind = std::move(behind)](families& measured) mutable {
        append(measured, std::move(behind));
        give_metrics(std::move(measured));
      },
      [this](caf::error& why) {
        // The next one asks another.
        caf::anon_send_exit(std::exchange(usage_reader_, nullptr), caf::exit_reason::user_shutdown);
        give_metrics(std::move(why));
      });
}

void doorkeeper_state::give_metrics(caf::expected<families> all) {
  auto waiting = std::exchange(metrics_wanted_, {});
  if (!all) {
    for (auto& [answer, counted] : waiting)
      answer.deliver(
        told(all.error(), caf::make_error(vm_errc::shutting_down, "the service has ended")));
    return;
  }
  counts_.show(*all);
  std::vector<limit_info> limits;
  show_limits(limits);
  if (options_.others) {
    auto others = options_.others(nullptr);
    std::move(others.begin(), others.end(), std::back_inserter(limits));
  }
  append(*all, metrics_of(limits));
  if (options_.more_metrics)
    append(*all, options_.more_metrics());
  std::sort(all->begin(), all->end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  for (auto& [answer, counted] : waiting)
    answer.deliver(*all);
}

} // namespace crosvisor::door
