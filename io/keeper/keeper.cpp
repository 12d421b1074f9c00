// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/keeper/keeper.hpp"

#include "crosvisor/io/keeper/keeper_process.hpp"
#include "crosvisor/io/keeper/keeper_protocol.hpp"
#include "crosvisor/io/keeper/keeper_record.hpp"
#include "crosvisor/io/keeper/keeper_session.hpp"
#include "crosvisor/io/keeper/keeper_values.hpp"
#include "crosvisor/io/keeper/keeper_visitors.hpp"
#include "crosvisor/io/keeper/keeper_vm.hpp"
#include "crosvisor/io/logging.hpp"
#include "crosvisor/io/service_signals.hpp"
#include "crosvisor/io/tickets/descriptor_packet.hpp"

#include "crosvisor/io/config/bounded_read.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <sys/socket.h>

#include <chrono>
#include <csignal>
#include <exception>
#include <utility>

namespace crosvisor::io {

namespace {

using boost::system::error_code;
using nlohmann::json;

constexpr std::size_t max_launch_bytes = 16u << 20;

/// How long a dead VM, or output that a reader doesn't take, is kept without a service.
constexpr std::chrono::hours kept_without_service{1};

/// How long a service may take to read on where the one before has ended.
constexpr std::chrono::seconds left_readers_bound{30};

/// What a VMM has from SIGTERM to SIGKILL.
constexpr std::chrono::seconds terminate_bound{10};

class kept {
public:
  kept(std::shared_ptr<event_loop> loop, keeper_launch launch, unique_fd launch_text,
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

  result<void> begin(unique_fd service) {
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

  /// What begin() made before it failed, and the record.
  void undo() {
    visitors_ = nullptr;
    if (vm_)
      vm_->release([this] { loop_->stop(); });
    if (vm_)
      loop_->run();
    forget_record();
  }

private:
  // -- services ----------------------------------------------------------------------

  result<void> listen() {
    auto made = keeper_visitors::make(*loop_, launch_.socket_path,
                                      [this](unique_fd socket) { welcome(std::move(socket)); });
    if (!made)
      return made.why();
    visitors_ = std::move(*made);
    return {};
  }

  void welcome(unique_fd socket) {
    if (auto spoken = talk(std::move(socket)); !spoken) {
      log::warn("vm {}: a service can't be spoken to: {}", launch_.request.cid, spoken.why().what);
      visitors_->wait();
    }
  }

  result<void> talk(unique_fd socket) {
    keeper_session::handlers told;
    told.on_note = [this](std::string key, std::string value) {
      note(std::move(key), std::move(value));
    };
    told.on_release = [this](std::function<void()> done) { release(std::move(done)); };
    told.on_end = [this](std::unique_ptr<keeper_readers> left) { alone(std::move(left)); };
    auto made = keeper_session::make(*loop_, std::move(socket), vm_, hello(), std::move(left_),
                                     std::move(told));
    if (!made)
      return made.why();
    session_ = std::move(*made);
    patience_.cancel();
    left_bound_.expires_after(left_readers_bound);
    left_bound_.async_wait([this](const error_code& why) {
      if (!why && session_)
        session_->forget_left();
    });
    return {};
  }

  keeper_packet hello() const {
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
  void alone(std::unique_ptr<keeper_readers> left) {
    session_ = nullptr;
    left_bound_.cancel();
    if (!launched_)
      return leave(true);
    if (!vm_->is_dead())
      left_ = std::move(left);
    if (visitors_)
      visitors_->wait();
    check_needed();
  }

  /// To be called when the VM has ended, or a service has.
  void check_needed() {
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

  void note(std::string key, std::string value) {
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

  void launch() {
    if (!session_)
      return;
    launched_ = true;
    auto request = std::move(launch_.request);
    launch_.request.cid = request.cid;
    vm_->launch(std::move(request));
    loop_->post(launch_is_over);
  }

  /// The record first: it must be there when somebody knows.
  void ended(const vmm_exit& exit) {
    ladder_.cancel();
    if (auto written = record_.write_exit(exit); !written)
      log::error("vm {}: {}", launch_.request.cid, written.why().what);
    loop_->post([this] { check_needed(); });
  }

  result<void> watch_signals() {
    auto opened = open_service_signals();
    if (!opened)
      return opened.why();
    signals_.assign(opened->release());
    wait_for_signals();
    return {};
  }

  void wait_for_signals() {
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
  void terminate() {
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

  void release(std::function<void()> done) {
    if (std::exchange(released_, true))
      return vm_->release(std::move(done));
    left_ = nullptr;
    if (session_)
      session_->forget_left();
    vm_->finish([] {});
    vm_->release([this, done = std::move(done)] {
      visitors_ = nullptr;
      forget_record();
      done();
      vm_->streams().when_unread([this] { loop_->stop(); });
    });
  }

  /// @param wholly as if it had never been there.
  void leave(bool wholly) {
    visitors_ = nullptr;
    vm_->release([this, wholly] {
      if (wholly)
        forget_record();
      loop_->stop();
    });
  }

  void forget_record() {
    if (auto removed = record_.remove(); !removed)
      log::warn("vm {}: {}", launch_.request.cid, removed.why().what);
  }

  const std::shared_ptr<event_loop> loop_;
  keeper_launch launch_;
  const unique_fd launch_text_;
  const std::shared_ptr<const unique_fd> vsock_;
  keeper_record record_;
  vm_notes notes_;
  std::shared_ptr<keeper_vm> vm_;
  std::shared_ptr<keeper_visitors> visitors_; // Null: nobody is to come any more.
  std::shared_ptr<keeper_session> session_;   // Null: no service is there.
  std::unique_ptr<keeper_readers> left_;      // Those of the session before.
  boost::asio::steady_timer patience_;
  boost::asio::steady_timer ladder_;
  boost::asio::steady_timer left_bound_;
  boost::asio::posix::stream_descriptor signals_;
  bool launched_ = false;
  bool terminated_ = false;
  bool released_ = false;
};

/// Whether the service has gone already. Nothing is read.
bool has_gone(int socket) {
  char first = 0;
  return ::recv(socket, &first, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

void tell_failure(int socket, const std::string& why) {
  json packet{
    {"type", "launch_failed"}, {"failure", static_cast<int>(launch_failure::host)}, {"what", why}};
  // A service that has gone needs no word.
  (void)send_packet(socket, to_line(packet));
}

result<keeper_launch> read_launch(int fd) {
  auto text = read_bounded(fd, max_launch_bytes);
  if (!text)
    return failure{text.why().code, "launch: " + text.why().what};
  return decode_keeper_launch(*text, true);
}

int fail(int service, const failure& why) {
  log::error("keeper can't begin: {}", why.what);
  tell_failure(service, why.what);
  return keeper_failed;
}

int keep(unique_fd launch_text, unique_fd service, unique_fd folder) {
  auto launch = read_launch(launch_text.get());
  if (!launch)
    return fail(service.get(), launch.why());
  auto path =
    keeper_records_path(launch->how.state_dir) + "/" + std::to_string(launch->request.cid);
  auto loop = std::make_shared<event_loop>(event_loop::on_this_thread{});
  unique_fd last_word{::fcntl(service.get(), F_DUPFD_CLOEXEC, 3)};
  kept vm{loop, std::move(*launch), std::move(launch_text),
          keeper_record::inherit(std::move(folder), std::move(path))};
  auto gone = has_gone(service.get());
  auto begun = gone ? result<void>{} : vm.begin(std::move(service));
  if (gone || !begun) {
    vm.undo();
    return gone ? keeper_done : fail(last_word.get(), begun.why());
  }
  last_word.reset();
  loop->run();
  return keeper_done;
}

} // namespace

int run_keeper(const keeper_arguments& arguments) {
  become_keeper();
  unique_fd launch{arguments.launch_fd}, service{arguments.service_fd}, folder{arguments.record_fd};
  for (auto fd : {launch.get(), service.get(), folder.get()})
    if (::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
      log::error("keeper can't begin: descriptor {} isn't open", fd);
      return keeper_usage_error;
    }
  try {
    return keep(std::move(launch), std::move(service), std::move(folder));
  } catch (const std::exception& error) { // No memory, no descriptor for the loop.
    log::error("keeper ends: {}", error.what());
    return keeper_failed;
  }
}

} // namespace crosvisor::io
