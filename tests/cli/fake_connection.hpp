// SPDX-License-Identifier: Apache-2.0
// A connection to a door of a test's, on real threads.
#pragma once

#include "crosvisor/cli/door_request.hpp"
#include "crosvisor/io/descriptor_set.hpp"
#include "crosvisor/messages/register_types.hpp"
#include "crosvisor/messages/type_ids.hpp"
#include "crosvisor/service/connection.hpp"
#include "crosvisor/tests/cli/door_answers.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/send.hpp>

#include <fcntl.h>

#include <map>
#include <memory>

namespace crosvisor::tests {

struct client_test_config : caf::actor_system_config {
  client_test_config() {
    register_types(*this);
    set("scheduler.policy", caf::atom("sharing"));
    set("scheduler.max-threads", std::size_t{2});
  }
};

class fake_connection final : public connection {
public:
  fake_connection() { spawn_door(); }
  ~fake_connection() override { lose(); }

  caf::actor_system& system() noexcept override { return system_; }
  const door_actor& door() const noexcept override { return door_; }
  const endpoint& where() const noexcept override { return at; }
  embedded_service* embedded() noexcept override { return nullptr; }
  bool passes_descriptors() const noexcept override { return at.kind != endpoint_kind::tls; }

  io::result<void> reconnect(std::chrono::milliseconds) override {
    ++reconnects;
    if (refused_reconnects > 0) {
      --refused_reconnects;
      return io::failure{ECONNREFUSED, "refused"};
    }
    spawn_door();
    return {};
  }

  io::result<ticket_list> give(const io::descriptor_set& files) override {
    if (!passes_descriptors() && files.size() > 0)
      return io::failure{0, "no descriptors over there"};
    ticket_list list;
    for (std::uint32_t i = 0; i < files.size(); ++i) {
      auto name = "given" + std::to_string(given.size());
      given[name].reset(::fcntl(files.get(i), F_DUPFD_CLOEXEC, 3));
      list.tickets.push_back(name);
    }
    return list;
  }

  io::result<io::unique_fd> take(const ticket& of) override {
    auto found = left.find(of);
    if (found == left.end())
      return io::failure{0, "no such ticket"};
    auto fd = std::move(found->second);
    left.erase(found);
    return fd;
  }

  /// Waits until the door has answered all that it was asked: a client that ended early doesn't
  /// wait for what it had under way, and the answers are the test's to change then.
  void settle() { cli::ask<std::vector<vm_info>>(*this, cli::request_bound, list_atom::value); }

  /// The door goes down.
  void lose() { caf::anon_send_exit(door_, caf::exit_reason::kill); }

  endpoint at{endpoint_kind::unix_socket, "/run/crosvisor/crosvisord.sock", "", 0};
  std::shared_ptr<door_answers> answers = std::make_shared<door_answers>();
  int reconnects = 0;
  int refused_reconnects = 0;
  /// What the client gave, and what it may take.
  std::map<ticket, io::unique_fd> given;
  std::map<ticket, io::unique_fd> left;

private:
  void spawn_door() { door_ = system_.spawn(answering_door, answers); }

  client_test_config config_;
  caf::actor_system system_{config_};
  door_actor door_;
};

/// A VM to be answered.
inline vm_info sample_vm(vm_cid cid = 2048, vm_name name = "demo") {
  vm_info vm;
  vm.cid = cid;
  vm.name = std::move(name);
  vm.state = vm_state::ready;
  vm.owner = {caller_kind::socket, 1000, 1000, {}, 4711, "", ""};
  vm.vmm = vmm_kind::qemu;
  vm.accel = accel_kind::tcg;
  vm.memory_mib = 128;
  vm.cpus = 1;
  vm.created_ms = 1'800'000'000'000;
  vm.vmm_pid = 4712;
  return vm;
}

inline vm_event sample_event(vm_event_kind kind, std::uint64_t seq, vm_cid cid = 2048) {
  vm_event event;
  event.seq = seq;
  event.number = seq;
  event.time_ms = 1'800'000'000'000 + static_cast<std::int64_t>(seq);
  event.cid = cid;
  event.name = "demo";
  event.kind = kind;
  return event;
}

} // namespace crosvisor::tests
