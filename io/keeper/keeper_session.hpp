// SPDX-License-Identifier: Apache-2.0
// One service's time with a keeper.
#pragma once

#include "crosvisor/io/event_loop.hpp"
#include "crosvisor/io/keeper/keeper_channel.hpp"
#include "crosvisor/io/keeper/keeper_readers.hpp"
#include "crosvisor/io/keeper/keeper_vm.hpp"
#include "crosvisor/io/result.hpp"
#include "crosvisor/io/unique_fd.hpp"

#include <functional>
#include <memory>
#include <string>

namespace crosvisor::io {

/// Says hello, tells what happened, and does what is asked for, until the other side goes or says
/// what no service says. On the loop's thread alone.
class keeper_session {
public:
  struct handlers {
    std::function<void(std::string key, std::string value)> on_note;
    /// To be answered with `done`, when nothing of the VM is left; with `aside`, nothing but what
    /// its next life is made from.
    std::function<void(bool aside, std::function<void(result<void>)> done)> on_release;
    /// It is over, and has these readers: as long as they are held, the guest's output waits for
    /// those that take their place, up to the bound of what is kept. Once.
    std::function<void(std::unique_ptr<keeper_readers> left)> on_end;
  };

  /// Sends what a service is told at first.
  /// @param hello the first packet.
  /// @param left the readers of the session before; they go when this one has some, or with it.
  static result<std::shared_ptr<keeper_session>>
  make(event_loop& loop, unique_fd socket, std::shared_ptr<keeper_vm> vm, keeper_packet hello,
       std::unique_ptr<keeper_readers> left, handlers told);

  virtual ~keeper_session() = default;

  /// Something happened just now.
  virtual void tell(const keeper_fact& fact) = 0;

  /// Lets go of what the session before has left.
  virtual void forget_left() = 0;
};

} // namespace crosvisor::io
