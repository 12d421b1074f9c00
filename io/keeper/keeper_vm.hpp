// SPDX-License-Identifier: Apache-2.0
// The one VM of a keeper.
#pragma once

#include "crosvisor/io/backend.hpp"
#include "crosvisor/io/event_loop.hpp"
#include "crosvisor/io/guest/guest_door.hpp"
#include "crosvisor/io/guest/linux_guest_streams.hpp"
#include "crosvisor/io/keeper/keeper_facts.hpp"
#include "crosvisor/io/keeper/keeper_launch.hpp"
#include "crosvisor/io/result.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace crosvisor::io {

/// A VM's processes and streams, and all that happened to them. On its loop's thread alone, which
/// has no other work; launching blocks it for as long as fork and exec take.
class keeper_vm : public std::enable_shared_from_this<keeper_vm> {
public:
  struct handlers {
    /// Something happened.
    std::function<void(const keeper_fact&)> on_fact;
    /// The VMM has ended, or couldn't be started: before the fact. Exactly once.
    std::function<void(const vmm_exit&)> on_end;
  };

  /// A VM that is not launched yet.
  static result<std::shared_ptr<keeper_vm>> make(std::shared_ptr<event_loop> loop,
                                                 const keeper_launch& launch, handlers told);

  /// @param request what it is launched with; once.
  void launch(launch_request request);

  /// Null before launch(), and from the end of release() on.
  vmm_process* process() { return process_.get(); }
  served_guest_streams& streams() { return *streams_; }
  keeper_facts& facts() noexcept { return facts_; }

  /// See launch_request::origin.
  std::shared_ptr<const vm_origin> origin() const noexcept { return origin_; }

  /// There is no next life that needs it.
  void forget_origin() noexcept { origin_ = nullptr; }

  /// Whether no service is there: then what the guest sends is read here, as each service would
  /// have it, so that a guest waits for nobody.
  void read_alone(bool alone);

  /// Whether the VMM has ended, or couldn't be started.
  bool is_dead() const noexcept { return dead_; }

  /// See guest_streams::finish(); any number of times.
  void finish(std::function<void()> done);

  /// The VM is dead and known to be: removes everything of it that is in the file system but its
  /// logs, then calls `done`; any number of times.
  void release(std::function<void()> done);

private:
  enum class phase { before, under_way, done };
  /// What is to be called once something is done.
  struct step {
    phase now = phase::before;
    std::vector<std::function<void()>> waiting;

    void finish();
  };

  keeper_vm(std::shared_ptr<event_loop> loop, handlers told, std::string runtime_root);
  void add(keeper_fact::kind what, std::string packet);
  void take_connection(guest_connection connection);
  void read_waiting();
  vmm_callbacks process_callbacks();
  stream_callbacks status_callbacks();
  void end(const vmm_exit& how, keeper_fact::kind what, std::string packet);
  void remove_runtime_root();

  const std::shared_ptr<event_loop> loop_;
  const handlers told_;
  const std::string runtime_root_;
  std::shared_ptr<guest_door> door_;
  std::shared_ptr<served_guest_streams> streams_;
  std::shared_ptr<vmm_launcher> launcher_;
  std::shared_ptr<vmm_process> process_;
  std::shared_ptr<const vm_origin> origin_;
  keeper_facts facts_;
  std::uint64_t last_connection_ = 0;
  bool dead_ = false;
  bool alone_ = false;
  step finished_;
  step released_;
};

} // namespace crosvisor::io
