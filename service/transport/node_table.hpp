// SPDX-License-Identifier: Apache-2.0
// Which client is behind which node.
#pragma once

#include "crosvisor/io/stream/outflow.hpp"
#include "crosvisor/messages/caller.hpp"
#include "crosvisor/service/transport/node_key.hpp"

#include <chrono>
#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>

namespace crosvisor::transport {

/// For how long a node id is its principal's after its connection ended, and for how many of them
/// that is remembered.
inline constexpr std::chrono::seconds node_grace{60};
inline constexpr std::size_t max_remembered_nodes = 1024;

/// The node ids that are in use, each one's by one connection. Node ids can be guessed, so what
/// binds one to who uses it is
///
/// - for a client whose process id the kernel tells: that the id names it, as the service's pid
///   namespace or the innermost of the client's knows it. Nobody else can have it;
/// - else (a client in a pid namespace that the service's does not hold, and a certificate's
///   subject): that nobody else has it now, nor another principal had it lately. Whoever connects
///   first has it: this keeps clients apart, but a hostile one can keep another of them out by
///   taking an id before it. It never is who that one is: a caller is known by its connection,
///   and what was sent over one that has ended is nobody's.
///
/// Any thread.
class node_table {
public:
  using clock = std::function<std::chrono::steady_clock::time_point()>;

  explicit node_table(clock now = std::chrono::steady_clock::now) : now_(std::move(now)) {}

  enum class answer : std::uint8_t { bound, in_use, anothers };

  /// Binds `node` to `who`, until it is freed.
  /// @param to what is on its way there; may be null.
  answer bind(const node_key& node, const caller& who, std::shared_ptr<io::outflow> to = nullptr);

  /// Its connection has ended.
  void free(const node_key& node);

  /// Who is behind it; nothing for one that is not bound.
  std::optional<caller> find(const node_key& node) const;

  /// What is on its way to it; null for one that is not bound.
  std::shared_ptr<io::outflow> outflow_to(const node_key& node) const;

  std::size_t size() const;

  /// How many that are free are remembered.
  std::size_t remembered() const;

private:
  using ends = std::list<std::pair<node_key, std::chrono::steady_clock::time_point>>;

  struct present {
    caller who;
    std::shared_ptr<io::outflow> to;
  };

  struct past {
    caller who;
    ends::iterator place;
  };

  void forget_old(std::chrono::steady_clock::time_point now);

  mutable std::mutex mutex_;
  clock now_;
  std::unordered_map<node_key, present, node_key_hash> bound_;
  std::unordered_map<node_key, past, node_key_hash> past_;
  /// Until when each of past_ is remembered, the oldest first.
  ends ends_;
};

} // namespace crosvisor::transport
