// SPDX-License-Identifier: Apache-2.0
// The deterministic fixture of actor tests: no thread, virtual time, fakes behind the backend.
#pragma once

#include "crosvisor/actors/image_builder_pool.hpp"
#include "crosvisor/actors/registry.hpp"
#include "crosvisor/actors/vm_supervisor.hpp"
#include "crosvisor/messages/register_types.hpp"
#include "crosvisor/messages/type_ids.hpp"
#include "crosvisor/tests/fakes/fake_backend.hpp"
#include "crosvisor/tests/fakes/fake_image_builder.hpp"

#include <caf/test/dsl.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace crosvisor::tests {

struct test_config : caf::actor_system_config {
  test_config() { register_types(*this); }
};

/// What a subscriber was told, in order.
using told_events = std::shared_ptr<std::vector<vm_event>>;

/// Longer than any test's virtual time.
inline constexpr auto test_timeout = std::chrono::minutes{1440};

/// What a request came back with.
template <class T>
struct outcome {
  std::optional<T> value;
  caf::error error;

  bool pending() const { return !value && !error; }

  // Copies: what a check compares must outlive the outcome.
  T get() const { return value.value(); }
  caf::error why() const { return error; }
};

struct actor_fixture : test_coordinator_fixture<test_config> {
  std::shared_ptr<fake_launcher> launcher = std::make_shared<fake_launcher>();
  std::shared_ptr<fake_claimer> claimer = std::make_shared<fake_claimer>();
  std::shared_ptr<fake_cid_store> last_cid = std::make_shared<fake_cid_store>();
  std::shared_ptr<fake_stream_factory> streams = std::make_shared<fake_stream_factory>();
  std::shared_ptr<fake_vsock_listener> listener = std::make_shared<fake_vsock_listener>();
  std::shared_ptr<fake_image_builder> builder = std::make_shared<fake_image_builder>();
  actors::vm_timeouts timeouts;

  static vm_config small_vm(std::string name = "") {
    vm_config config;
    config.name = std::move(name);
    config.kernel = {"vmlinux", 0};
    config.memory_mib = 128;
    return config;
  }

  /// Actors hold each other, so whoever is still there must be told to go.
  ~actor_fixture() override {
    for (const auto& one : spawned)
      caf::anon_send_exit(one, caf::exit_reason::user_shutdown);
    settle();
  }

  template <class Handle>
  Handle ends_with_test(Handle actor) {
    spawned.push_back(caf::actor_cast<caf::strong_actor_ptr>(actor));
    return actor;
  }

  registry_actor spawn_registry(actors::cid_range cids = {}) {
    return ends_with_test(sys.spawn(
      actors::registry,
      actors::registry_options{cids, timeouts, launcher, claimer, last_cid, streams, false, {}}));
  }

  /// Its workers run with everybody else.
  image_builder_pool_actor spawn_pool(std::size_t workers = 2, std::size_t max_waiting = 8) {
    return ends_with_test(
      sys.spawn(actors::image_builder_pool,
                actors::image_builder_pool_options{builder, workers, max_waiting, false}));
  }

  /// Runs all messages that there are, and no timer.
  void settle() {
    while (sched.try_run_once()) {
    }
  }

  /// Lets so much time pass, then runs what it set off.
  void pass(caf::timespan time) {
    advance_time(time);
    settle();
  }

  /// Sends a request and settles. The answer, or its absence, is in the outcome.
  template <class T, class Handle, class... Args>
  std::shared_ptr<outcome<T>> ask(const Handle& whom, Args... args) {
    auto answer = std::make_shared<outcome<T>>();
    sys.spawn([=](caf::event_based_actor* asker) {
      asker->request(whom, test_timeout, args...)
        .then([=](T& value) { answer->value = std::move(value); },
              [=](caf::error& why) { answer->error = std::move(why); });
    });
    settle();
    return answer;
  }

  /// Spawns a subscriber of `vm` and settles.
  told_events listen(const vm_actor& vm) {
    auto told = std::make_shared<std::vector<vm_event>>();
    listeners.push_back(ends_with_test(
      sys.spawn([=](subscriber_actor::pointer asker) -> subscriber_actor::behavior_type {
        asker->request(vm, test_timeout, caf::subscribe_atom::value).then([](const vm_info&) {});
        return {[=](const vm_event& event) { told->push_back(event); }};
      })));
    settle();
    return told;
  }

  std::vector<subscriber_actor> listeners;
  std::vector<caf::strong_actor_ptr> spawned;
};

} // namespace crosvisor::tests
