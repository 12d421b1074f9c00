// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/daemon/pulse.hpp"

#include "crosvisor/io/logging.hpp"
#include "crosvisor/io/systemd/notify.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <algorithm>
#include <utility>

namespace crosvisor {

namespace {

using clock_time = caf::actor_clock::time_point;

std::string count_of(const std::vector<vm_info>& vms) {
  auto living = std::count_if(vms.begin(), vms.end(),
                              [](const auto& vm) { return vm.state != vm_state::dead; });
  return std::to_string(living) + (living == 1 ? " VM" : " VMs");
}

class pulse_state {
public:
  using pointer = pulse_actor::stateful_pointer<pulse_state>;

  static inline const char* name = "pulse";

  explicit pulse_state(pointer self) : self_(self) {}

  pulse_actor::behavior_type make_behavior(pulse_options options);

private:
  /// Half of the watchdog's interval.
  caf::timespan pet_interval() const { return *options_.watchdog / 2; }

  void look();
  void answered(const std::vector<vm_info>& vms);
  void unanswered(const caf::error& why);
  void pet();
  void tell_status();

  pointer self_;
  pulse_options options_;
  caf::timespan interval_{};
  std::optional<clock_time> petted_;
  std::string count_;
  std::string remark_;
  std::string told_;
  bool silent_ = false; ///< The service did not answer the last time.
};

void pulse_state::look() {
  // A watchdog that is not petted is answer enough, so the bound is what the watchdog's is.
  auto bound = std::max(interval_, options_.watchdog.value_or(caf::timespan{}));
  self_->request(options_.service, bound, list_atom::value)
    .then([this](const std::vector<vm_info>& vms) { answered(vms); },
          [this](const caf::error& why) { unanswered(why); });
}

void pulse_state::answered(const std::vector<vm_info>& vms) {
  if (std::exchange(silent_, false))
    log::info("service answers again");
  count_ = count_of(vms);
  tell_status();
  pet();
  self_->delayed_send(self_, interval_, caf::tick_atom::value);
}

void pulse_state::unanswered(const caf::error& why) {
  if (!std::exchange(silent_, true))
    log::error("service does not answer: {}", to_string(why));
  self_->delayed_send(self_, interval_, caf::tick_atom::value);
}

void pulse_state::pet() {
  if (!options_.watchdog)
    return;
  auto now = self_->clock().now();
  // Now, where the next look would be too late.
  if (petted_ && now - *petted_ + interval_ <= pet_interval())
    return;
  petted_ = now;
  options_.notify("WATCHDOG=1");
}

void pulse_state::tell_status() {
  if (count_.empty())
    return;
  auto words = remark_.empty() ? count_ : count_ + "; " + remark_;
  if (words == told_)
    return;
  told_ = words;
  options_.notify(io::status_state(words));
}

pulse_actor::behavior_type pulse_state::make_behavior(pulse_options options) {
  options_ = std::move(options);
  interval_ = options_.watchdog ? std::min(status_interval, pet_interval()) : status_interval;
  look();
  return {
    [this](caf::put_atom, std::string& remark) {
      remark_ = std::move(remark);
      tell_status();
    },
    [this](caf::tick_atom) { look(); },
  };
}

pulse_actor::behavior_type pulse(pulse_state::pointer self, pulse_options options) {
  return self->state.make_behavior(std::move(options));
}

} // namespace

pulse_actor spawn_pulse(caf::actor_system& system, pulse_options options) {
  return system.spawn(pulse, std::move(options));
}

} // namespace crosvisor
