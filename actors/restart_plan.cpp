// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/actors/restart_plan.hpp"

#include <algorithm>
#include <sstream>
#include <vector>

namespace crosvisor::actors {

namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;
using std::chrono::seconds;

/// Beyond, doubling a wait changes nothing, and would overflow in the end.
constexpr std::uint32_t max_streak = 30;

} // namespace

bool is_failure(const vmm_exit& exit, const payload_info& payload) noexcept {
  if (payload.failed)
    return true;
  if (payload.finished)
    return payload.exit_code != 0;
  return exit.reason != death_reason::shutdown;
}

bool wants_restart(restart_policy policy, const vmm_exit& exit,
                   const payload_info& payload) noexcept {
  switch (policy) {
    case restart_policy::never: return false;
    case restart_policy::on_failure: return is_failure(exit, payload);
    case restart_policy::always: return true;
  }
  return false;
}

std::optional<restart_plan::clock::duration> restart_plan::next(clock::time_point now) {
  if (begun_ && now - *begun_ >= bounds_.restart_stable)
    streak_ = 0;
  begun_.reset();
  while (!restarts_.empty() && now - restarts_.front() >= bounds_.restart_window)
    restarts_.pop_front();
  if (restarts_.size() >= bounds_.max_restarts)
    return std::nullopt;
  restarts_.push_back(now);
  auto delay = bounds_.restart_first;
  for (std::uint32_t i = 0; i < streak_ && delay < bounds_.restart_last; ++i)
    delay *= 2;
  streak_ = std::min(streak_ + 1, max_streak);
  return std::min(delay, bounds_.restart_last);
}

std::string restart_plan::what() const {
  return "it was started again " + std::to_string(bounds_.max_restarts) + " times within "
         + std::to_string(duration_cast<seconds>(bounds_.restart_window).count())
         + " s, as often as it may (restarts.most)";
}

std::string restart_plan::encode(clock::time_point now, std::int64_t unix_ms) const {
  auto at = [&](clock::time_point time) {
    return ' ' + std::to_string(unix_ms - duration_cast<milliseconds>(now - time).count());
  };
  auto text = std::to_string(streak_) + at(begun_.value_or(now));
  for (auto time : restarts_)
    text += at(time);
  return text;
}

bool restart_plan::decode(const std::string& text, clock::time_point now, std::int64_t unix_ms) {
  std::istringstream words{text};
  std::uint32_t streak = 0;
  std::vector<clock::time_point> times;
  if (!(words >> streak))
    return false;
  std::int64_t then = 0;
  while (times.size() <= bounds_.max_restarts && words >> then) {
    // A clock that was set back must not make it wait for ever.
    auto age = std::clamp<std::int64_t>(unix_ms - std::max<std::int64_t>(then, 0), 0,
                                        milliseconds{std::chrono::hours{1000}}.count());
    times.push_back(now - milliseconds{age});
  }
  if (times.empty())
    return false;
  streak_ = std::min(streak, max_streak);
  begun_ = times.front();
  restarts_.assign(times.begin() + 1, times.end());
  return true;
}

} // namespace crosvisor::actors
