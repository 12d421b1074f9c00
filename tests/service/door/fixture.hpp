// SPDX-License-Identifier: Apache-2.0
// A door before a whole service with a fake backend, and clients of all kinds.
#pragma once

#include "crosvisor/service/door.hpp"
#include "crosvisor/service/service.hpp"
#include "crosvisor/tests/actors/fixture.hpp"
#include "crosvisor/tests/fakes/fake_door_parts.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <functional>
#include <initializer_list>

namespace crosvisor::tests {

/// What a client is to do next, within its own turn.
using client_task = std::shared_ptr<const std::function<void(caf::event_based_actor*)>>;

} // namespace crosvisor::tests

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(crosvisor::tests::client_task)

namespace crosvisor::tests {

inline caller user(std::uint32_t uid, std::int32_t pid = 100) {
  return {caller_kind::socket, uid, uid, {}, pid, "", ""};
}

inline caller subject(std::string name) {
  return {caller_kind::certificate, 0, 0, {}, 0, "", std::move(name)};
}

/// What one client was told, in order.
struct inbox {
  std::vector<vm_event> events;
  std::vector<output_chunk> pieces;
  std::vector<job_progress> progress;
  /// Whether all of it came from the door.
  bool from_door = true;
};

/// An actor of somebody's.
struct client {
  caf::actor handle;
  caller who;
  std::shared_ptr<inbox> got;
};

/// A pipe whose one end went away with a request.
struct watched_fd {
  io::unique_fd ours;
  io::unique_fd theirs;

  watched_fd() {
    int ends[2];
    CAF_REQUIRE_EQUAL(::pipe2(ends, O_CLOEXEC), 0);
    ours = io::unique_fd{ends[0]};
    theirs = io::unique_fd{ends[1]};
  }

  /// Whether nobody has the other end any more.
  bool closed() const {
    pollfd poll{ours.get(), POLLIN, 0};
    return ::poll(&poll, 1, 0) == 1 && (poll.revents & POLLHUP) != 0;
  }
};

struct door_fixture : actor_fixture {
  std::shared_ptr<fake_callers> callers = std::make_shared<fake_callers>();
  std::shared_ptr<fake_tickets> tickets = std::make_shared<fake_tickets>();
  std::shared_ptr<fake_logs> logs = std::make_shared<fake_logs>();
  std::shared_ptr<shared_grants> grants = std::make_shared<shared_grants>(permission_grants{});
  permission_grants granted;
  io::backend host;
  service_options serving;
  door_options options;
  service_actor service;
  door_actor door;

  door_fixture() {
    host.host.memory_mib = 1024;
    host.host.vmms = {{vmm_kind::qemu, "/usr/bin/qemu", "QEMU 7.2", {true, ""}, {}}};
    host.host.vhost_vsock = {true, ""};
    host.host.disk_server = {true, "composite.so"};
    host.launcher = launcher;
    host.cids = claimer;
    host.last_cid = last_cid;
    host.streams = streams;
    host.vsock = listener;
    host.images = builder;
    serving.detached_image_builders = false;
    serving.privileged_ports = true;
    options.callers = callers;
    options.grants = grants;
    options.tickets = tickets;
    options.logs = logs;
    options.detached_usage_reader = false;
    open();
  }

  /// A service and a door of the options as they are.
  void open() {
    service = ends_with_test(spawn_service(sys, host, serving));
    options.service = service;
    door = ends_with_test(spawn_door(sys, options));
    settle();
  }

  void grant(const caller& who, std::initializer_list<permission> what) {
    for (auto one : what) {
      auto& to = granted.of[static_cast<std::size_t>(one)];
      if (who.kind == caller_kind::certificate)
        to.subjects.push_back(who.subject);
      else
        to.uids.push_back(who.uid);
    }
    grants->set(granted);
  }

  void revoke_all() {
    granted = {};
    grants->set(granted);
  }

  /// A new actor of `who`'s; of nobody's where nothing is known of them.
  client connect(const caller& who, bool known = true) {
    auto got = std::make_shared<inbox>();
    auto handle = sys.spawn([this, got](caf::event_based_actor* actor) -> caf::behavior {
      auto note = [this, got, actor] {
        if (actor->current_sender() != caf::actor_cast<caf::strong_actor_ptr>(door))
          got->from_door = false;
      };
      return {
        [=](const client_task& task) { (*task)(actor); },
        [=](const vm_event& event) {
          note();
          got->events.push_back(event);
        },
        [=](const output_chunk& piece) {
          note();
          got->pieces.push_back(piece);
        },
        [=](const job_progress& far) {
          note();
          got->progress.push_back(far);
        },
      };
    });
    if (known)
      callers->known[handle.id()] = who;
    return {ends_with_test(handle), who, got};
  }

  static void let_do(const client& by, std::function<void(caf::event_based_actor*)> task) {
    caf::anon_send(by.handle, std::make_shared<const std::function<void(caf::event_based_actor*)>>(
                                std::move(task)));
  }

  /// Has a client send something, to be settled later.
  template <class To, class... Words>
  static void let_send(const client& by, const To& whom, Words... words) {
    let_do(by, [=](caf::event_based_actor* actor) { actor->send(whom, words...); });
  }

  /// Sends the door a request of a client's and settles.
  template <class T, class... Words>
  std::shared_ptr<outcome<T>> request(const client& by, Words... words) {
    auto answer = std::make_shared<outcome<T>>();
    let_do(by, [=, to = door](caf::event_based_actor* actor) {
      actor->request(to, test_timeout, words...)
        .then([=](T& value) { answer->value = std::move(value); },
              [=](caf::error& why) { answer->error = std::move(why); });
    });
    settle();
    return answer;
  }

  /// Sends the door a message of a client's and settles.
  template <class... Words>
  void tell(const client& by, Words... words) {
    let_send(by, door, std::move(words)...);
    settle();
  }

  /// `denied: uid 1000 lacks "manage"`
  static std::string words_of(const caf::error& why) {
    return to_string(static_cast<vm_errc>(why.code())) + ": " + sentence_of(why);
  }

  template <class T>
  static std::string refusal(const std::shared_ptr<outcome<T>>& answer) {
    if (answer->pending())
      return "no answer";
    return answer->value ? "done" : words_of(answer->error);
  }

  /// A client ends by itself.
  void end(const client& one) {
    let_do(one, [](caf::event_based_actor* actor) { actor->quit(); });
    settle();
  }

  /// A client is lost with its connection.
  void cut(const client& one) {
    caf::anon_send_exit(one.handle, caf::exit_reason::remote_link_unreachable);
    settle();
  }

  ticket deposit(const client& by, io::unique_fd fd) {
    auto made = tickets->put(std::move(fd), by.who, io::ticket_store::direction::to_service);
    CAF_REQUIRE(static_cast<bool>(made));
    return *made;
  }

  static io::unique_fd some_fd() { return io::unique_fd{::open("/dev/null", O_RDWR | O_CLOEXEC)}; }

  std::shared_ptr<outcome<vm_info>> create(const client& by, const std::string& name = "") {
    ticket_list list{{deposit(by, some_fd())}};
    return request<vm_info>(by, create_atom::value, small_vm(name), list);
  }

  /// A VM that `by` created and holds.
  vm_cid make_vm(const client& by, const std::string& name = "") {
    auto made = create(by, name);
    CAF_REQUIRE_EQUAL(refusal(made), "done");
    return made->get().cid;
  }

  /// Its VMM comes up.
  std::shared_ptr<fake_vmm> run_vm(const client& by, vm_cid cid) {
    auto started = request<vm_info>(by, start_atom::value, cid);
    auto vmm = launcher->launched.back();
    vmm->callbacks.on_up(4711);
    settle();
    CAF_REQUIRE_EQUAL(refusal(started), "done");
    return vmm;
  }

  /// Its process ends by itself.
  void end_vm(const std::shared_ptr<fake_vmm>& vmm) {
    vmm->callbacks.on_exit({exit_kind::code, 0, death_reason::shutdown, ""});
    settle();
    if (vmm->release_done)
      vmm->release_done();
    settle();
  }

  /// What the service says of a VM, whoever may know.
  vm_state state_of(vm_cid cid) {
    auto all = ask<std::vector<vm_info>>(service, list_atom::value)->get();
    for (const auto& info : all)
      if (info.cid == cid)
        return info.state;
    CAF_FAIL("no VM " << cid);
    return vm_state::dead;
  }

  static std::string kinds(const client& of) {
    std::string text;
    for (const auto& event : of.got->events)
      text += (text.empty() ? "" : " ") + to_string(event.kind);
    return text;
  }
};

} // namespace crosvisor::tests
