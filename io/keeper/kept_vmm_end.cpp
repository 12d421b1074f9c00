// SPDX-License-Identifier: Apache-2.0
// What a keeper says of its VM, and the end of both.
#include "crosvisor/io/failpoint.hpp"
#include "crosvisor/io/guest/guest_door.hpp"
#include "crosvisor/io/keeper/keeper_values.hpp"
#include "crosvisor/io/keeper/kept_vmm.hpp"
#include "crosvisor/io/keeper/value_arrays.hpp"
#include "crosvisor/io/log/log_store.hpp"
#include "crosvisor/io/logging.hpp"

#include <utility>

namespace crosvisor::io {

namespace {

/// How long whoever releases a VM waits for its keeper to end, which it does not as long as
/// somebody reads the VM's output.
constexpr std::chrono::seconds release_bound{1};

} // namespace

// -- what the keeper says --------------------------------------------------------

void kept_vmm::receive(const std::string& type, keeper_message message) {
  if (type == "hello")
    return take_hello(); // What it says is known from the launch, or was read when it was found.
  if (type == "synced")
    return take_synced();
  auto of_streams = type == "status" || type == "bad_status" || type == "chunk";
  if (of_streams && !streams_)
    return;
  if (of_streams ? !streams_->receive(type, message) : !receive_fact(type, message))
    refuse(type);
}

bool kept_vmm::receive_fact(const std::string& type, keeper_message& message) {
  if (type == "up")
    return take_up(message);
  if (type == "step")
    return take_step(message);
  if (type == "connection")
    return take_connection(message);
  if (type == "exit")
    return take_exit(message);
  if (type == "launch_failed")
    return take_launch_failure(message);
  std::string what;
  if (type != "fault")
    return true; // Of a later version.
  if (!read_member(message.body, "what", what))
    return false;
  if (callbacks_.on_fault && !exit_told_)
    callbacks_.on_fault(std::move(what));
  return true;
}

/// Of a keeper that was just started it is a sign of life.
void kept_vmm::take_hello() {
  if (!adopted_ && callbacks_.on_step)
    callbacks_.on_step({"keeper", launch_began_us_, unix_time_us()});
}

bool kept_vmm::take_step(const keeper_message& message) {
  vm_step step;
  if (!read_member(message.body, "name", step.name)
      || !read_member(message.body, "begin_us", step.begin_us)
      || !read_member(message.body, "end_us", step.end_us))
    return false;
  if (callbacks_.on_step)
    callbacks_.on_step(std::move(step));
  return true;
}

void kept_vmm::take_synced() {
  if (auto synced = std::exchange(callbacks_.on_synced, nullptr); synced && adopted_)
    synced();
}

void kept_vmm::refuse(const std::string& type) {
  link_->close();
  link_ended("it sent a message \"" + type + "\" that can't be read");
}

bool kept_vmm::take_up(const keeper_message& message) {
  std::int32_t pid = 0;
  if (!read_member(message.body, "pid", pid) || pid <= 0)
    return false;
  reach(failpoint::hear_up);
  if (auto pidfd = open_pidfd(pid))
    vmm_pidfd_ = std::make_shared<unique_fd>(std::move(*pidfd));
  if (callbacks_.on_up)
    callbacks_.on_up(pid);
  return true;
}

bool kept_vmm::take_connection(keeper_message& message) {
  std::uint64_t number = 0;
  std::uint32_t port = 0;
  if (!read_member(message.body, "connection", number) || !read_member(message.body, "port", port))
    return false;
  if (exit_told_)
    return true; // The CID's next life must not have it.
  if (reach(failpoint::hear_connection) != 0)
    message.fds.clear();
  auto is_read = false;
  if (message.body.contains("read") && !read_member(message.body, "read", is_read))
    return false;
  if (is_read)
    message.fds.emplace_back(); // For those who decide it is one as others.
  if (message.fds.empty()) {
    log::warn("vm {}: a connection of its guest got lost: no descriptors are left", cid_);
    return true;
  }
  auto socket = make_kept_connection(loop_, link_, number, std::move(message.fds.front()));
  if (callbacks_.on_connection)
    callbacks_.on_connection(port, std::move(socket));
  else if (const auto& door = host_.options.how.door)
    door->deliver({cid_, port, std::move(socket)});
  return true;
}

bool kept_vmm::take_exit(const keeper_message& message) {
  auto exit = exit_from_json(message.body);
  if (!exit)
    return false;
  reach(failpoint::hear_exit);
  if (std::exchange(exit_told_, true))
    return true;
  deadline_.cancel();
  vmm_pidfd_ = nullptr;
  auto callbacks = std::exchange(callbacks_, {}); // What they hold goes with the process.
  if (callbacks.on_exit)
    callbacks.on_exit(std::move(*exit));
  if (releasing_)
    send_release();
  return true;
}

bool kept_vmm::take_launch_failure(const keeper_message& message) {
  auto where = launch_failure::host;
  std::string what;
  if (!read_member(message.body, "failure", where) || where > launch_failure::no_vmm
      || !read_member(message.body, "what", what))
    return false;
  failed_.emplace(where, std::move(what));
  deadline_.cancel();
  send_release(); // It is told when all has gone.
  return true;
}

void kept_vmm::send_release() {
  if (std::exchange(release_sent_, true))
    return;
  reach(failpoint::release_keeper);
  link_->request({{"type", "release"}}, keeper_answer_bound,
                 [weak = weak_from_this()](const result<keeper_message>& answer) {
                   auto self = weak.lock();
                   if (!self || self->concluding_ || self->ended_)
                     return;
                   if (answer && !self->failed_)
                     return self->arm(release_bound, [](kept_vmm& late) { late.tell_released(); });
                   // One that has failed has nobody who reads; one that doesn't answer is stuck.
                   self->arm(keeper_end_bound, [](kept_vmm& late) {
                     if (late.process_)
                       late.process_->kill();
                   });
                 });
}

// -- the end ---------------------------------------------------------------------

void kept_vmm::link_ended(std::string why) {
  if (std::exchange(link_ended_, true) || left_)
    return;
  link_end_ = std::move(why);
  if (process_ended_)
    return keeper_ended();
  // A keeper has no reason to end its connection but its own end.
  arm(keeper_end_bound, [](kept_vmm& late) {
    if (late.process_)
      late.process_->kill();
  });
}

void kept_vmm::process_ended(exit_status status) {
  if (std::exchange(process_ended_, true) || left_)
    return;
  keeper_status_ = status;
  if (link_ended_)
    return keeper_ended();
  // What it said before is still to be read; its end of the connection is nobody else's.
  arm(keeper_end_bound, [](kept_vmm& late) {
    late.link_->close();
    late.link_ended("its connection did not end");
  });
}

vmm_exit kept_vmm::exit_of_keeper() const {
  vmm_exit exit{exit_kind::vanished, 0, death_reason::infrastructure_error, keeper_words_};
  if (!exit.detail.empty())
    return exit;
  auto status = to_string(vmm_exit{keeper_status_.kind, keeper_status_.value, {}, {}});
  switch (keeper_status_.kind) {
    case exit_kind::signal: exit.detail = "its keeper was killed (" + status + ")"; break;
    case exit_kind::code: exit.detail = "its keeper ended (" + status + ")"; break;
    default: exit.detail = "its keeper ended or was killed"; break;
  }
  if (link_end_.starts_with("it sent"))
    exit.detail += ": " + link_end_;
  return exit;
}

void kept_vmm::keeper_ended() {
  if (std::exchange(concluding_, true))
    return;
  deadline_.cancel();
  process_ = nullptr;
  if (streams_)
    streams_->end();
  auto conclude = [self = shared_from_this(), vmm = std::exchange(vmm_pidfd_, nullptr),
                   remains = remains_, exit = exit_of_keeper(), failed = failed_.has_value(),
                   told = exit_told_]() mutable {
    // The kernel kills it with the keeper; a process that it can't end (a hung disk) is its own.
    if (vmm && !wait_for_end(vmm->get(), static_cast<int>(1000 * keeper_end_bound.count())))
      log::error("vmm of vm {} did not end with its keeper", self->cid_);
    remains->clear();
    if (failed)
      remains->remove_record();
    else if (!told)
      exit = remains->exit_or(std::move(exit));
    self->host_.logs->retire(log_dir_name(self->cid_, self->name_));
    self->post([exit = std::move(exit)](kept_vmm& it) { it.concluded(exit); });
  };
  work(std::move(conclude));
}

void kept_vmm::concluded(vmm_exit exit) {
  ended_ = true;
  if (left_)
    return;
  auto callbacks = std::exchange(callbacks_, {});
  if (failed_) {
    if (callbacks.on_launch_failed)
      callbacks.on_launch_failed(failed_->first, std::move(failed_->second));
  } else if (!std::exchange(exit_told_, true) && callbacks.on_exit) {
    callbacks.on_exit(std::move(exit));
  }
  if (releasing_)
    tell_released();
  forget();
}

void kept_vmm::fail(launch_failure where, std::string what) {
  ended_ = true;
  link_->close();
  if (streams_)
    streams_->end();
  if (left_)
    return;
  auto callbacks = std::exchange(callbacks_, {});
  if (callbacks.on_launch_failed)
    callbacks.on_launch_failed(where, std::move(what));
  if (releasing_)
    tell_released();
  forget();
}

/// Before the end it is told to those who wait alone: the record goes with the keeper.
void kept_vmm::tell_released() {
  auto waiting = std::exchange(released_, {});
  if (!ended_) {
    for (auto& done : waiting)
      done();
    return;
  }
  work([remains = remains_, waiting = std::move(waiting)] {
    remains->remove_record();
    for (const auto& done : waiting)
      done();
  });
}

} // namespace crosvisor::io
