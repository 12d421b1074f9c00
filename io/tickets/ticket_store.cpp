// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/tickets/ticket_store.hpp"

#include "crosvisor/io/failpoint.hpp"
#include "crosvisor/io/tickets/background_closer.hpp"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <iterator>
#include <map>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

namespace crosvisor::io {

namespace {

result<ticket> make_ticket() {
  std::array<unsigned char, ticket_digits / 2> bytes;
  // Up to 256 bytes come whole (getrandom(2)).
  while (::getrandom(bytes.data(), bytes.size(), 0) < 0)
    if (errno != EINTR)
      return last_failure("getrandom");
  ticket made;
  made.reserve(ticket_digits);
  for (auto byte : bytes) {
    made += "0123456789abcdef"[byte >> 4];
    made += "0123456789abcdef"[byte & 15];
  }
  return made;
}

// Whom a ticket is for.
struct holder {
  caller_kind kind;
  std::uint32_t uid;
  std::int32_t pid;

  bool operator==(const holder&) const = default;
};

holder holder_of(const caller& who) {
  return {who.kind, who.uid, who.pid};
}

struct deposit {
  ticket of;
  unique_fd fd;
  holder whose;
  ticket_store::direction way;
  std::chrono::steady_clock::time_point until;
};

// Numbered in the order of their coming, which is that of their ends.
using deposits = std::map<std::uint64_t, deposit>;

class kept_tickets final : public ticket_store {
public:
  kept_tickets(const ticket_limits& limits, clock now) : limits_(limits), now_(std::move(now)) {}
  ~kept_tickets() override {
    for (auto& [number, kept] : deposits_)
      closer_.close(kept.whose.uid, std::move(kept.fd));
  }

  result<ticket> put(unique_fd fd, const caller& who, direction way) override {
    std::lock_guard lock{mutex_};
    close_expired();
    auto made = make_ticket();
    if (auto why = injected(failpoint::put_ticket))
      made = *why;
    if (auto why = refusal(who)) {
      closer_.close(who.uid, std::move(fd));
      return *why;
    }
    if (!made) {
      closer_.close(who.uid, std::move(fd));
      return made;
    }
    numbers_.emplace(*made, next_);
    deposits_.emplace(
      next_++, deposit{*made, std::move(fd), holder_of(who), way, now_() + limits_.lifetime});
    ++per_uid_[who.uid].waiting;
    return made;
  }

  result<unique_fd> take(const ticket& of, const caller& who, direction way) override {
    std::lock_guard lock{mutex_};
    close_expired();
    if (auto why = injected(failpoint::take_ticket))
      return *why;
    auto number = numbers_.find(of);
    auto kept = number == numbers_.end() ? deposits_.end() : deposits_.find(number->second);
    if (kept == deposits_.end() || kept->second.whose != holder_of(who) || kept->second.way != way)
      return failure{0, "there is no such ticket"};
    return remove(kept).second;
  }

  void forget(const caller& who) override {
    std::lock_guard lock{mutex_};
    for (auto kept = deposits_.begin(); kept != deposits_.end();)
      kept = kept->second.whose == holder_of(who) ? close(kept) : std::next(kept);
  }

  std::size_t size() const override {
    std::lock_guard lock{mutex_};
    // What is too old is gone for everybody who asks, and now for the host, too.
    const_cast<kept_tickets*>(this)->close_expired();
    return deposits_.size();
  }

  std::vector<limit_info> limits(const caller* of) const override {
    std::lock_guard lock{mutex_};
    const_cast<kept_tickets*>(this)->close_expired();
    if (of == nullptr)
      return limits_of_all();
    // A certificate has no tickets, and no uid either.
    return of->kind == caller_kind::certificate ? std::vector<limit_info>{} : limits_of(of->uid);
  }

private:
  /// What somebody has here.
  struct share {
    std::size_t waiting = 0;
    std::uint64_t refused = 0;
  };

  /// What can't be closed yet is still held for them.
  std::size_t held_for(std::uint32_t uid) const {
    auto own = per_uid_.find(uid);
    return (own == per_uid_.end() ? 0 : own->second.waiting) + closer_.waiting(uid);
  }

  std::optional<failure> refusal(const caller& who) {
    if (who.kind == caller_kind::certificate)
      return failure{0, "descriptors can't be passed to or from another host"};
    if (held_for(who.uid) >= limits_.per_uid) {
      ++refused_per_uid_;
      if (auto own = per_uid_.find(who.uid); own != per_uid_.end())
        ++own->second.refused;
      return failure{EDQUOT, to_string(who) + " has " + std::to_string(limits_.per_uid)
                               + " descriptors that wait, as many as one user may have "
                                 "(limits.tickets_per_user)"};
    }
    if (deposits_.size() >= limits_.in_all) {
      ++refused_in_all_;
      return failure{EDQUOT, "there are " + std::to_string(limits_.in_all)
                               + " descriptors that wait, as many as there may be "
                                 "(limits.tickets)"};
    }
    return std::nullopt;
  }

  std::vector<limit_info> limits_of(std::uint32_t uid) const {
    auto own = per_uid_.find(uid);
    return {{"tickets_per_user", "limits.tickets_per_user", held_for(uid), limits_.per_uid,
             own == per_uid_.end() ? 0 : own->second.refused}};
  }

  std::vector<limit_info> limits_of_all() const {
    std::size_t most = 0;
    for (const auto& [uid, own] : per_uid_)
      most = std::max(most, held_for(uid));
    return {
      {"tickets", "limits.tickets", deposits_.size(), limits_.in_all, refused_in_all_},
      {"tickets_per_user", "limits.tickets_per_user", most, limits_.per_uid, refused_per_uid_}};
  }

  void close_expired() {
    for (auto kept = deposits_.begin(); kept != deposits_.end() && kept->second.until <= now_();)
      kept = close(kept);
  }

  deposits::iterator close(deposits::iterator kept) {
    auto uid = kept->second.whose.uid;
    auto [next, fd] = remove(kept);
    closer_.close(uid, std::move(fd));
    return next;
  }

  std::pair<deposits::iterator, unique_fd> remove(deposits::iterator kept) {
    auto fd = std::move(kept->second.fd);
    numbers_.erase(kept->second.of);
    auto own = per_uid_.find(kept->second.whose.uid);
    if (--own->second.waiting == 0)
      per_uid_.erase(own);
    return {deposits_.erase(kept), std::move(fd)};
  }

  const ticket_limits limits_;
  const clock now_;
  mutable std::mutex mutex_; // Of what follows.
  deposits deposits_;
  std::unordered_map<ticket, std::uint64_t> numbers_;
  std::unordered_map<std::uint32_t, share> per_uid_;
  std::uint64_t refused_per_uid_ = 0;
  std::uint64_t refused_in_all_ = 0;
  std::uint64_t next_ = 0;
  background_closer closer_;
};

} // namespace

std::shared_ptr<ticket_store> ticket_store::make(const ticket_limits& limits, clock now) {
  if (!now)
    now = std::chrono::steady_clock::now;
  return std::make_shared<kept_tickets>(limits, std::move(now));
}

} // namespace crosvisor::io
