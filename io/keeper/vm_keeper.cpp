// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/keeper/vm_keeper.hpp"

#include "crosvisor/io/failpoint.hpp"
#include "crosvisor/io/keeper/keeper_process.hpp"
#include "crosvisor/io/keeper/keeper_protocol.hpp"
#include "crosvisor/io/keeper/keeper_remains.hpp"
#include "crosvisor/io/keeper/keeper_values.hpp"
#include "crosvisor/io/logging.hpp"
#include "crosvisor/io/service_signals.hpp"

#include <nlohmann/json.hpp>

#include <fcntl.h>

#include <chrono>
#include <csignal>
#include <utility>

namespace crosvisor::io {

namespace {

using boost::system::error_code;
using nlohmann::json;

/// How long a dead VM, or output that a reader doesn't take, is kept without a service.
constexpr std::chrono::hours kept_without_service{1};

/// How long a service may take to read on where the one before has ended.
constexpr std::chrono::seconds left_readers_bound{30};

/// What a VMM has from SIGTERM to SIGKILL.
constexpr std::chrono::seconds terminate_bound{10};

} // namespace

vm_keeper::vm_keeper(std::shared_ptr<event_loop> loop, keeper_launch launch, unique_fd launch_text,
                     keeper_record record)
    : loop_(std::move(loop)),
      launch_(std::move(launch)),
      launch_text_(std::move(launch_text)),
      vsock_(launch_.request.vsock),
      record_(std::move(record)),
      notes_(launch_.request.notes),
      patience_(loop_->context()),
      ladder_(loop_->context()),
      left_bound_(loop_->context()),
      signals_(loop_->context()) {}

result<void> vm_keeper::begin(unique_fd service) {
  if (!notes_.empty())
    if (auto written = record_.write_notes(notes_); !written)
      return written;
  keeper_vm::handlers told;
  told.on_fact = [this](const keeper_fact& fact) {
    if (session_)
      session_->tell(fact);
  };
  told.on_end = [this](const vmm_exit& exit) { ended(exit); };
  auto vm = keeper_vm::make(loop_, launch_, std::move(told));
  if (!vm)
    return vm.why();
  vm_ = std::move(*vm);
  if (auto listening = listen(); !listening)
    return listening;
  if (auto watched = watch_signals(); !watched)
    return watched;
  if (auto spoken = talk(std::move(service)); !spoken)
    return spoken;
  loop_->post([this] { launch(); });
  return {};
}

void vm_keeper::undo() {
  visitors_ = nullptr;
  if (vm_)
    vm_->release([this] { loop_->stop(); });
  if (vm_)
    loop_->run();
  forget_record();
}

// -- services ----------------------------------------------------------------------

result<void> vm_keeper::listen() {
  auto made = keeper_visitors::make(*loop_, launch_.socket_path,
                                    [this](unique_fd socket) { welcome(std::move(socket)); });
  if (!made)
    return made.why();
  visitors_ = std::move(*made);
  return {};
}

void vm_keeper::welcome(unique_fd socket) {
  if (auto spoken = talk(std::move(socket)); !spoken) {
    log::warn("vm {}: a service can't be spoken to: {}", launch_.request.cid, spoken.why().what);
    visitors_->wait();
  }
}

result<void> vm_keeper::talk(unique_fd socket) {
  if (auto why = injected(failpoint::welcome_service))
    return *why;
  keeper_session::handlers told;
  told.on_note = [this](std::string key, std::string value) {
    note(std::move(key), std::move(value));
  };
  told.on_release = [this](bool aside, std::function<void(result<void>)> done) {
    release(aside, std::move(done));
  };
  told.on_end = [this](std::unique_ptr<keeper_readers> left) { alone(std::move(left)); };
  auto made = keeper_session::make(*loop_, std::move(socket), vm_, hello(), std::move(left_),
                                   std::move(told));
  if (!made)
    return made.why();
  session_ = std::move(*made);
  vm_->read_alone(false);
  patience_.cancel();
  left_bound_.expires_after(left_readers_bound);
  left_bound_.async_wait([this](const error_code& why) {
    if (!why && session_)
      session_->forget_left();
  });
  return {};
}

keeper_packet vm_keeper::hello() const {
  json packet{{"type", "hello"},
              {"version", keeper_protocol_version},
              {"boot_id", launch_.boot_id},
              {"cid", launch_.request.cid},
              {"pid", ::getpid()},
              {"launched_ms", launch_.launched_ms},
              {"notes", to_json(notes_)}};
  keeper_packet made{to_line(packet), {}};
  for (auto fd : {launch_text_.get(), vsock_ ? vsock_->get() : -1})
    if (unique_fd copy{fd >= 0 ? ::fcntl(fd, F_DUPFD_CLOEXEC, 3) : -1})
      made.fds.push_back(std::move(copy));
  return made;
}

/// The service has gone.
void vm_keeper::alone(std::unique_ptr<keeper_readers> left) {
  session_ = nullptr;
  left_bound_.cancel();
  if (!launched_)
    return leave(true);
  vm_->read_alone(true);
  if (!vm_->is_dead())
    left_ = std::move(left);
  if (visitors_)
    visitors_->wait();
  check_needed();
}

/// To be called when the VM has ended, or a service has.
void vm_keeper::check_needed() {
  if (session_ || !vm_->is_dead())
    return;
  if (terminated_ && !released_)
    return leave(false);
  patience_.expires_after(kept_without_service);
  patience_.async_wait([this](const error_code& why) {
    if (!why)
      leave(false);
  });
}

void vm_keeper::note(std::string key, std::string value) {
  if (key.size() > max_note_bytes || value.size() > max_note_bytes
      || (notes_.size() >= max_notes && notes_.count(key) == 0))
    return log::warn("vm {}: a note has no room", launch_.request.cid);
  if (value.empty())
    notes_.erase(key);
  else
    notes_[std::move(key)] = std::move(value);
  if (released_)
    return;
  if (auto written = record_.write_notes(notes_); !written)
    log::warn("vm {}: {}", launch_.request.cid, written.why().what);
}

// -- the VM --------------------------------------------------------------------------

void vm_keeper::launch() {
  if (!session_)
    return;
  launched_ = true;
  auto request = std::move(launch_.request);
  launch_.request.cid = request.cid;
  vm_->launch(std::move(request));
  loop_->post(launch_is_over);
}

/// The record first: it must be there when somebody knows.
void vm_keeper::ended(const vmm_exit& exit) {
  ladder_.cancel();
  reach(failpoint::record_exit);
  if (auto written = record_.write_exit(exit); !written)
    log::error("vm {}: {}", launch_.request.cid, written.why().what);
  reach(failpoint::exit_recorded);
  loop_->post([this] { check_needed(); });
}

result<void> vm_keeper::watch_signals() {
  auto opened = open_service_signals();
  if (!opened)
    return opened.why();
  signals_.assign(opened->release());
  wait_for_signals();
  return {};
}

void vm_keeper::wait_for_signals() {
  signals_.async_wait(boost::asio::posix::descriptor_base::wait_read,
                      [this](const error_code& why) {
                        if (why)
                          return;
                        while (auto number = read_signal(signals_.native_handle()))
                          if (*number == SIGTERM)
                            terminate();
                        wait_for_signals();
                      });
}

/// The host goes down.
void vm_keeper::terminate() {
  terminated_ = true;
  auto* process = vm_->process();
  if (process == nullptr || vm_->is_dead())
    return check_needed();
  process->terminate();
  ladder_.expires_after(terminate_bound);
  ladder_.async_wait([this](const error_code& why) {
    if (auto* left = vm_->process(); !why && left != nullptr)
      left->kill();
  });
}

// -- the end -------------------------------------------------------------------------

void vm_keeper::release(bool aside, std::function<void(result<void>)> done) {
  reach(failpoint::release_vm);
  if (aside && !released_)
    return step_aside(done);
  if (std::exchange(released_, true))
    return vm_->release([done = std::move(done)] { done({}); });
  left_ = nullptr;
  if (session_)
    session_->forget_left();
  vm_->finish([] {});
  vm_->release([this, done = std::move(done)] {
    visitors_ = nullptr;
    vsock_ = nullptr; // Whoever reads on must not keep the kernel from giving the CID away again.
    vm_->forget_origin();
    forget_record();
    done({});
    vm_->streams().when_unread([this] { loop_->stop(); });
  });
}

/// What a next life is made from stays, with a record and a socket by which whoever comes finds it.
void vm_keeper::step_aside(const std::function<void(result<void>)>& done) {
  vm_->finish([] {});
  vm_->release([this, done] {
    vsock_ = nullptr; // The next life needs a claim of its own.
    done(put_aside());
  });
}

result<void> vm_keeper::put_aside() {
  if (auto moved = record_.step_aside(); !moved)
    return moved;
  auto name = kept_life_name(launch_.request.cid, kept_life::last).append(keeper_socket_suffix);
  return visitors_ ? visitors_->rename(name) : result<void>{};
}

/// @param wholly as if it had never been there.
void vm_keeper::leave(bool wholly) {
  visitors_ = nullptr;
  vm_->release([this, wholly] {
    if (wholly)
      forget_record();
    loop_->stop();
  });
}

void vm_keeper::forget_record() {
  if (auto removed = record_.remove(); !removed)
    log::warn("vm {}: {}", launch_.request.cid, removed.why().what);
}

} // namespace crosvisor::io
