// SPDX-License-Identifier: Apache-2.0
// Asks a door, and waits for the answer.
#pragma once

#include "crosvisor/cli/outcome.hpp"
#include "crosvisor/messages/interfaces.hpp"
#include "crosvisor/service/connection.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/exit_reason.hpp>

#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <variant>

namespace crosvisor::cli {

/// What a request came to.
template <class T>
using answer = std::variant<T, caf::error>;

/// Creating and starting excepted, what a door is asked takes a moment.
inline constexpr caf::timespan request_bound = std::chrono::seconds{30};
/// The supervisor bounds a start itself, and this much later.
inline constexpr caf::timespan start_bound = std::chrono::minutes{5};
/// What an answer may take besides the work itself.
inline constexpr caf::timespan answer_slack = std::chrono::seconds{10};

/// What stands for an answer that can't come any more.
inline caf::error lost_error() {
  return make_error(caf::exit_reason::remote_link_unreachable);
}

inline bool is_lost(const caf::error& why) {
  return why == caf::exit_reason::remote_link_unreachable;
}

/// What a command ends with that was answered `why` by the service at `where`. Printable.
early_end end_of(const caf::error& why, const endpoint& where);

/// The same of a request whose answer is one of the two.
template <class T>
outcome<T> outcome_of(answer<T> what, const endpoint& where) {
  if (const auto* why = std::get_if<caf::error>(&what))
    return end_of(*why, where);
  return std::move(std::get<T>(what));
}

/// The actor behind ask(). Monitors the door: a request to one that is lost is answered by nothing
/// but its own timeout.
template <class T, class... Words>
void asker(caf::event_based_actor* self, const std::shared_ptr<std::promise<answer<T>>>& answered,
           const door_actor& door, caf::timespan bound, const Words&... words) {
  auto end = [=](answer<T> what) {
    answered->set_value(std::move(what));
    self->quit();
  };
  self->set_down_handler([=](const caf::down_msg&) { end(lost_error()); });
  self->monitor(door);
  self->request(door, bound, words...)
    .then([=](T& value) { end(std::move(value)); }, [=](caf::error& why) { end(std::move(why)); });
}

/// Asks the door and blocks until the answer is there, the door is lost, or `bound` is over.
template <class T, class... Words>
answer<T> ask(connection& service, caf::timespan bound, const Words&... words) {
  auto answered = std::make_shared<std::promise<answer<T>>>();
  auto future = answered->get_future();
  service.system().spawn(asker<T, Words...>, std::exchange(answered, nullptr), service.door(),
                         bound, words...);
  try {
    return future.get();
  } catch (const std::future_error&) { // Its actor was ended, which is the system's end.
    return lost_error();
  }
}

} // namespace crosvisor::cli
