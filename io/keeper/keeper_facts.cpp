// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/keeper/keeper_facts.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace crosvisor::io {

std::size_t keeper_facts::count(keeper_fact::kind what) const {
  return static_cast<std::size_t>(std::count_if(
    facts_.begin(), facts_.end(), [what](const auto& fact) { return fact.what == what; }));
}

bool keeper_facts::has(keeper_fact::kind what) const {
  return count(what) > 0;
}

bool keeper_facts::has_status(std::uint8_t status_kind) const {
  return std::any_of(facts_.begin(), facts_.end(), [status_kind](const auto& fact) {
    return fact.what == keeper_fact::kind::status && fact.status_kind == status_kind;
  });
}

bool keeper_facts::add(keeper_fact fact) {
  using kind = keeper_fact::kind;
  if (fact.what == kind::step && count(kind::step) >= max_launch_steps)
    return false;
  if (fact.what == kind::connection && count(kind::connection) >= max_connections)
    return false;
  if (fact.what == kind::status && has_status(fact.status_kind)) {
    if (repeated_statuses_ >= max_repeated_statuses)
      return false;
    ++repeated_statuses_;
  }
  if (fact.what == kind::fault && count(kind::fault) >= max_faults)
    facts_.erase(std::find_if(facts_.begin(), facts_.end(),
                              [](const auto& each) { return each.what == kind::fault; }));
  facts_.push_back(std::move(fact));
  return true;
}

std::deque<keeper_fact>::iterator keeper_facts::find_waiting(std::uint64_t connection) {
  return std::find_if(facts_.begin(), facts_.end(), [connection](const auto& fact) {
    return fact.what == keeper_fact::kind::connection && fact.connection == connection
           && fact.socket;
  });
}

stream_socket keeper_facts::take(std::uint64_t connection) {
  auto found = find_waiting(connection);
  if (found == facts_.end())
    return nullptr;
  auto known = std::any_of(facts_.begin(), facts_.end(), [port = found->port](const auto& fact) {
    return fact.what == keeper_fact::kind::connection && fact.port == port && !fact.socket;
  });
  auto socket = std::exchange(found->socket, nullptr);
  if (known)
    facts_.erase(found);
  return socket;
}

void keeper_facts::drop(std::uint64_t connection) {
  if (auto found = find_waiting(connection); found != facts_.end())
    facts_.erase(found);
}

void keeper_facts::read_waiting(
  const std::function<void(std::uint32_t port, stream_socket socket)>& read) {
  std::set<std::uint32_t> known;
  std::erase_if(facts_, [&](auto& fact) {
    if (fact.what != keeper_fact::kind::connection)
      return false;
    if (fact.socket)
      read(fact.port, std::exchange(fact.socket, nullptr));
    return !known.insert(fact.port).second;
  });
}

void keeper_facts::drop_connections() {
  std::erase_if(facts_,
                [](const auto& fact) { return fact.what == keeper_fact::kind::connection; });
}

} // namespace crosvisor::io
