// SPDX-License-Identifier: Apache-2.0
// What a supervisor hears of its VM's guest: connections, status, silence; and who reads the
// output.
#include "crosvisor/actors/vm_supervisor.hpp"

#include <utility>

namespace crosvisor::actors {

namespace {

/// How many of a guest's status lines that can't be are logged; it may write any number.
constexpr std::size_t max_logged_lines = 8;
/// More lines than that say nothing new: each kind counts once.
constexpr std::size_t max_early_lines = 16;

} // namespace

caf::error vm_supervisor_state::no_vsock() const {
  return caf::make_error(vm_errc::unsupported, "VM " + std::to_string(info_.cid)
                                                 + " has no vsock: this service has none");
}

// -- connections --------------------------------------------------------------

void vm_supervisor_state::take_connection(std::uint32_t port, vsock_socket socket) {
  auto running = phase_ >= vm_phase::launching && is_ending_open();
  auto known = port == payload_status_port || port == payload_output_port;
  if (!replaying_)
    self_->send(registry_, caf::connect_atom::value, port, running && streams_ && known);
  if (running && streams_ && port == payload_status_port)
    return streams_->take_status(std::move(socket));
  if (running && streams_ && port == payload_output_port) {
    streams_->take_output(std::move(socket));
    return output_connected();
  }
  log::debug(about(), "vm {} is {} and has its connection to port {} closed", info_.cid,
             to_string(phase_), port);
}

void vm_supervisor_state::output_connected() {
  if (info_.state == vm_state::starting)
    early_output_ = true;
  else
    tell(payload_.output_connected(), "");
}

// -- status -------------------------------------------------------------------

void vm_supervisor_state::take_status(std::uint32_t life, payload_status line) {
  if (life != info_.restarts)
    return;
  if (info_.state == vm_state::starting) {
    // The guest was faster than the VMM's control channel; its turn comes.
    if (early_.size() < max_early_lines)
      early_.push_back(std::move(line));
    return;
  }
  if (info_.state < vm_state::started || info_.state == vm_state::dead)
    return;
  auto step = payload_.take(line);
  if (!step.in_order) {
    if (++ignored_lines_ <= max_logged_lines)
      log::info(about(), "vm {} says \"{}\" out of order, which is ignored", info_.cid,
                to_string(line.kind));
    return;
  }
  hang_watch_.end();
  tell(step.news, line.message);
}

void vm_supervisor_state::take_bad_status(std::uint32_t life, const std::string& what) {
  if (life == info_.restarts && ++ignored_lines_ <= max_logged_lines)
    log::info(about(), "vm {} speaks no status protocol and had its channel closed: {}", info_.cid,
              what);
}

void vm_supervisor_state::tell(const std::vector<payload_news>& news, const std::string& words) {
  for (const auto& [kind, then] : news) {
    info_.payload = then;
    switch (kind) {
      case vm_event_kind::ready: set_state(vm_state::ready); break;
      case vm_event_kind::finished:
        set_state(vm_state::finished, "exit " + std::to_string(then.exit_code));
        break;
      default: tell(kind, kind == vm_event_kind::payload_error ? words : ""); break;
    }
  }
}

// -- the hang watchdog --------------------------------------------------------

void vm_supervisor_state::watch_for_hangs() {
  if (started_timeout_ > caf::timespan::zero()) {
    hang_watch_.begin(started_timeout_, self_->clock().now());
    arm_hang_watch();
  }
  if (std::exchange(early_output_, false))
    output_connected();
  for (auto& line : std::exchange(early_, {}))
    take_status(info_.restarts, std::move(line));
  if (info_.suspended)
    pause_hang_watch(true);
}

void vm_supervisor_state::pause_hang_watch(bool suspended) {
  if (suspended)
    return hang_watch_.pause(self_->clock().now());
  hang_watch_.go_on(self_->clock().now());
  arm_hang_watch();
}

void vm_supervisor_state::arm_hang_watch() {
  if (auto left = hang_watch_.left(self_->clock().now()))
    self_->delayed_send(self_, *left, hangup_atom::value, hang_watch_.stretch());
}

void vm_supervisor_state::hung(std::uint64_t stretch) {
  auto waits = hang_watch_.left(self_->clock().now()).has_value();
  if (!waits || stretch != hang_watch_.stretch() || phase_ != vm_phase::running)
    return;
  log::info(about(), "vm {} hangs: {}", info_.cid, hang_watch_.what());
  begin_end({end_cause::hung, true, {}});
  fault_ = hang_watch_.what();
  apply(vm_input::hung);
}

// -- output -------------------------------------------------------------------

caf::result<passed_fd> vm_supervisor_state::open_output() {
  if (!streams_)
    return no_vsock();
  auto fd = streams_->open_output();
  if (!fd)
    return caf::make_error(vm_errc::io_failed, fd.why().what);
  return std::make_shared<io::unique_fd>(std::move(*fd));
}

caf::result<caf::ok_atom> vm_supervisor_state::subscribe_to_output() {
  if (!streams_)
    return no_vsock();
  readers_.subscribe(self_->current_sender());
  return caf::ok_atom::value;
}

} // namespace crosvisor::actors
