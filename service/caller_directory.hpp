// SPDX-License-Identifier: Apache-2.0
// Who is behind a sender.
#pragma once

#include "crosvisor/io/stream/outflow.hpp"
#include "crosvisor/messages/caller.hpp"

#include <caf/actor_control_block.hpp>

#include <memory>
#include <optional>

namespace crosvisor {

/// Knows who is at the other end of each connection. Any thread; nothing blocks.
class caller_directory {
public:
  virtual ~caller_directory() = default;

  /// Who a message's sender belongs to; nothing for nobody, and for a node that is not connected.
  virtual std::optional<caller> find(const caf::strong_actor_ptr& sender) const = 0;

  /// What is on its way to an actor's process; null where nothing can be slow in between.
  virtual std::shared_ptr<io::outflow> outflow_to(const caf::strong_actor_ptr&) const {
    return nullptr;
  }
};

} // namespace crosvisor
