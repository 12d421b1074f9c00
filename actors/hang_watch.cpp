// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/actors/hang_watch.hpp"

#include <algorithm>

namespace crosvisor::actors {

void hang_watch::begin(clock::duration bound, clock::time_point now) {
  bound_ = left_ = bound;
  waiting_ = true;
  go_on(now);
}

void hang_watch::pause(clock::time_point now) {
  if (auto rest = left(now)) {
    left_ = *rest;
    since_.reset();
  }
}

void hang_watch::go_on(clock::time_point now) {
  if (!waiting_ || since_)
    return;
  since_ = now;
  ++stretch_;
}

void hang_watch::end() noexcept {
  waiting_ = false;
  since_.reset();
}

std::optional<hang_watch::clock::duration> hang_watch::left(clock::time_point now) const {
  if (!since_)
    return std::nullopt;
  return std::max(clock::duration::zero(), left_ - (now - *since_));
}

std::string hang_watch::what() const {
  auto seconds = std::chrono::duration_cast<std::chrono::seconds>(bound_).count();
  return "the guest did not say within " + std::to_string(seconds) + " s that its payload started";
}

} // namespace crosvisor::actors
