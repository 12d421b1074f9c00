// SPDX-License-Identifier: Apache-2.0
// Stand-ins for what a door is given: who senders are, the tickets, the kept logs.
#pragma once

#include "crosvisor/io/event_journal.hpp"
#include "crosvisor/io/log/kept_log_reader.hpp"
#include "crosvisor/io/tickets/ticket_store.hpp"
#include "crosvisor/service/caller_directory.hpp"

#include <cerrno>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace crosvisor::tests {

/// Knows those that a test names.
class fake_callers : public caller_directory {
public:
  std::map<caf::actor_id, caller> known;

  std::optional<caller> find(const caf::strong_actor_ptr& sender) const override {
    auto i = sender ? known.find(sender->id()) : known.end();
    return i == known.end() ? std::nullopt : std::optional{i->second};
  }
};

/// Keeps descriptors without a bound in time; a test says which tickets are too old.
class fake_tickets : public io::ticket_store {
public:
  std::size_t room = 1000;

  io::result<ticket> put(io::unique_fd fd, const caller& who, direction way) override {
    if (kept_.size() >= room)
      return io::failure{EDQUOT, "too many tickets of uid " + std::to_string(who.uid)};
    auto digits = std::to_string(++last_);
    auto made = std::string(ticket_digits - digits.size(), '0') + digits;
    kept_.emplace(made, deposit{std::move(fd), who, way});
    return made;
  }

  io::result<io::unique_fd> take(const ticket& of, const caller& who, direction way) override {
    auto i = kept_.find(of);
    if (i == kept_.end() || i->second.way != way || i->second.who.kind != who.kind
        || i->second.who.uid != who.uid || i->second.who.pid != who.pid)
      return io::failure{0, "no such ticket"};
    auto fd = std::move(i->second.fd);
    kept_.erase(i);
    return fd;
  }

  void forget(const caller& who) override {
    std::erase_if(kept_, [&](const auto& one) { return one.second.who.pid == who.pid; });
  }

  std::size_t size() const override { return kept_.size(); }

  std::vector<limit_info> limits(const caller*) const override {
    return {{"tickets", "limits.tickets", kept_.size(), room, 0}};
  }

  void expire(const ticket& one) { kept_.erase(one); }

private:
  struct deposit {
    io::unique_fd fd;
    caller who;
    direction way;
  };

  std::map<ticket, deposit> kept_;
  std::uint64_t last_ = 0;
};

/// Reads nothing by itself.
class fake_logs : public io::kept_log_reader {
public:
  std::vector<std::pair<log_query, completion>> reads;

  void read(log_query query, completion done) override {
    reads.emplace_back(std::move(query), std::move(done));
  }
};

/// Keeps all in memory.
class fake_journal : public io::event_journal {
public:
  io::told_events told;
  /// Called with each event before it counts as kept.
  std::function<void(const vm_event&)> on_append;

  io::told_events load() override { return told; }
  void append(const io::kept_event& event) override {
    if (on_append)
      on_append(event.event);
    told.take(event, 1024);
  }
};

} // namespace crosvisor::tests
