// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/vmm/qmp_session.hpp"

#include "crosvisor/io/config/printable.hpp"
#include "crosvisor/io/vmm/qmp_channel.hpp"

#include <boost/asio/buffer.hpp>

namespace crosvisor::io {

using boost::system::error_code;
using nlohmann::json;

namespace {

/// More than are ever pending, so it is full only when QEMU has stopped reading.
constexpr std::size_t max_unwritten = 2 * max_pending_requests;

/// What the session asks for itself has ids of its own, above those of requests.
constexpr std::uint64_t capabilities_id = std::uint64_t{1} << 62;
constexpr std::uint64_t start_id = capabilities_id + 1;
constexpr std::uint64_t status_id = capabilities_id + 2;

/// What a guest is stopped for that won't go on by itself (qapi/run-state.json, RunState); null for
/// every other status.
const char* fault_of(const std::string& status) {
  if (status == "internal-error")
    return "the guest can't go on: KVM met something that it can't run (internal-error)";
  if (status == "io-error")
    return "the guest was stopped since a disk's file failed on the host (io-error)";
  if (status == "guest-panicked")
    return "the guest's kernel panicked, and QEMU keeps it";
  return nullptr;
}

} // namespace

qmp_session::qmp_session(event_loop& loop, unique_fd socket, channel_callbacks callbacks,
                         control_timeouts timeouts)
    : loop_(loop), socket_(loop.context()), callbacks_(std::move(callbacks)), timeouts_(timeouts) {
  error_code error;
  socket_.assign({}, socket.get(), error);
  if (error)
    phase_ = phase::closed;
  else
    socket.release();
}

void qmp_session::start() {
  if (phase_ != phase::closed)
    read();
}

// -- requests -------------------------------------------------------------------------------------

void qmp_session::ask(const std::string& command, const json& arguments, answer done) {
  if (phase_ == phase::closed)
    return done(failure{EPIPE, "QEMU's control channel is closed"});
  if (pending_.size() >= max_pending_requests || out_.size() >= max_unwritten)
    return done(failure{EBUSY, "too many requests wait for QEMU's answer"});
  auto id = ++last_id_;
  auto deadline = std::make_unique<boost::asio::steady_timer>(loop_.context(), timeouts_.answer);
  deadline->async_wait([self = shared_from_this(), id](error_code error) {
    if (!error)
      self->expire(id);
  });
  pending_.emplace(id, pending{std::move(done), std::move(deadline)});
  auto text = qmp_request(id, command, arguments);
  if (phase_ == phase::up)
    send(std::move(text));
  else
    waiting_.emplace(id, std::move(text));
}

void qmp_session::expire(std::uint64_t id) {
  auto i = pending_.find(id);
  if (i == pending_.end())
    return;
  auto done = std::move(i->second.done);
  pending_.erase(i);
  // Nobody waits for what it would do.
  waiting_.erase(id);
  done(failure{ETIMEDOUT, "timed out: QEMU did not answer within "
                            + std::to_string(timeouts_.answer.count()) + " ms"});
}

void qmp_session::send_waiting() {
  for (auto& [id, text] : std::exchange(waiting_, {}))
    send(std::move(text));
}

void qmp_session::send(std::string text) {
  out_.push_back(std::move(text));
  if (!writing_)
    write();
}

void qmp_session::write() {
  if (out_.empty() || phase_ == phase::closed)
    return;
  writing_ = true;
  auto done = [self = shared_from_this()](error_code error, std::size_t n) {
    self->writing_ = false;
    // A broken channel is seen, and answered for, by who reads.
    if (error || self->out_.empty())
      return;
    self->out_.front().erase(0, n);
    if (self->out_.front().empty())
      self->out_.pop_front();
    self->write();
  };
  socket_.async_write_some(boost::asio::buffer(out_.front()), std::move(done));
}

// -- what comes -----------------------------------------------------------------------------------

void qmp_session::read() {
  auto done = [self = shared_from_this()](error_code error, std::size_t n) {
    if (self->phase_ == phase::closed)
      return;
    // A reset is the end, too: of a QEMU that ended without reading all that we sent.
    if (error)
      return self->close("QEMU closed its control channel");
    self->take({self->in_.data(), n});
  };
  socket_.async_read_some(boost::asio::buffer(in_), std::move(done));
}

void qmp_session::take(std::string_view bytes) {
  framer_.append(bytes);
  while (auto line = framer_.next()) {
    handle(*line);
    if (phase_ == phase::closed)
      return;
  }
  if (framer_.overflowed())
    return report_nonsense(framer_.rest());
  read();
}

void qmp_session::handle(const std::string& line) {
  auto message = parse_qmp(line);
  // A greeting comes first and once; anything else is another protocol.
  if (std::holds_alternative<qmp_nonsense>(message)
      || std::holds_alternative<qmp_greeting>(message) != (phase_ == phase::greeting))
    return report_nonsense(line);
  if (auto* greeting = std::get_if<qmp_greeting>(&message))
    handle(*greeting);
  else if (auto* what = std::get_if<qmp_answer>(&message))
    handle(*what);
  else if (auto* event = std::get_if<qmp_event>(&message))
    handle(*event);
}

void qmp_session::handle(const qmp_greeting&) {
  phase_ = phase::capabilities;
  send(qmp_request(capabilities_id, "qmp_capabilities", nullptr));
}

void qmp_session::handle(const qmp_answer& what) {
  if (what.id == capabilities_id || what.id == start_id)
    return go_on(what);
  if (what.id == status_id)
    return read_status(string_at(what.value, "status"));
  auto i = pending_.find(what.id);
  if (i == pending_.end())
    return; // It was answered for when its time was up.
  auto done = std::move(i->second.done);
  pending_.erase(i);
  if (what.ok)
    done(what.value);
  else
    done(failure{0, "QEMU: " + printable(what.error, 300)});
}

/// QEMU was started with the guest stopped, so that no event is lost: it sends none before it was
/// asked for its capabilities, and a guest may be over by then.
void qmp_session::go_on(const qmp_answer& what) {
  if (!what.ok)
    return report_fault("QEMU can't start the guest: " + printable(what.error, 300));
  if (phase_ != phase::capabilities)
    return become_up();
  phase_ = phase::start;
  send(qmp_request(start_id, "cont", nullptr));
}

void qmp_session::handle(const qmp_event& what) {
  if (what.name == "SHUTDOWN" && record_.shutdown_reason.empty())
    record_.shutdown_reason = string_at(what.data, "reason");
  else if (what.name == "GUEST_PANICKED")
    record_.panicked = true;
  else if (what.name == "STOP" && phase_ == phase::up)
    ask_status(); // The event does not say why.
}

void qmp_session::ask_status() {
  status_outdated_ = status_asked_;
  if (std::exchange(status_asked_, true))
    return;
  send(qmp_request(status_id, "query-status", nullptr));
}

void qmp_session::read_status(const std::string& status) {
  status_asked_ = false;
  if (std::exchange(status_outdated_, false))
    return ask_status();
  if (const auto* fault = fault_of(status))
    report_fault(fault);
}

void qmp_session::become_up() {
  phase_ = phase::up;
  record_.up = true;
  if (callbacks_.on_up)
    callbacks_.on_up();
  send_waiting();
}

void qmp_session::report_nonsense(std::string_view bytes) {
  close("QEMU's control channel spoke no QMP");
  report_fault("the VMM speaks no QMP: " + in_quotes(bytes.substr(0, max_shown_bytes)));
}

void qmp_session::report_fault(const std::string& what) {
  if (callbacks_.on_fault)
    callbacks_.on_fault(what);
}

// -- the end --------------------------------------------------------------------------------------

void qmp_session::close(const std::string& why) {
  phase_ = phase::closed;
  error_code ignored;
  socket_.close(ignored);
  waiting_.clear();
  for (auto& [id, request] : std::exchange(pending_, {}))
    request.done(failure{EPIPE, why});
  if (concluded_)
    finish();
}

void qmp_session::conclude(exit_status status, std::function<void(vmm_exit)> done) {
  callbacks_ = {};
  status_ = status;
  concluded_ = std::move(done);
  if (phase_ == phase::closed)
    return finish();
  // All that it said is in the socket; the bound is for a descriptor that went astray.
  last_words_ = std::make_unique<boost::asio::steady_timer>(loop_.context(), timeouts_.last_words);
  last_words_->async_wait([self = shared_from_this()](error_code error) {
    if (!error && self->phase_ != phase::closed)
      self->close("QEMU has ended");
  });
}

void qmp_session::finish() {
  last_words_.reset();
  std::exchange(concluded_, {})(read_qemu_end(status_, record_));
}

void qmp_session::abandon() {
  callbacks_ = {};
  concluded_ = {};
  last_words_.reset();
  if (phase_ != phase::closed)
    close("the VM was let go of");
}

} // namespace crosvisor::io
