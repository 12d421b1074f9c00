// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/linux_vmm.hpp"

#include "crosvisor/io/failpoint.hpp"
#include "crosvisor/io/guest/early_failure.hpp"
#include "crosvisor/io/guest/kernel_listener.hpp"
#include "crosvisor/io/host/short_command.hpp"
#include "crosvisor/io/logging.hpp"
#include "crosvisor/io/vm_files.hpp"

#include <cerrno>
#include <csignal>
#include <utility>

namespace crosvisor::io {

namespace {

constexpr char not_running[] = "the VMM doesn't run";

} // namespace

linux_vmm::linux_vmm(linux_vmm_host& host, vmm_callbacks callbacks)
    : host_(host), living_(host.living), callbacks_(std::move(callbacks)) {}

// -- requests --------------------------------------------------------------------

std::shared_ptr<vmm_channel> linux_vmm::channel() {
  std::lock_guard lock{mutex_};
  return channel_;
}

// Not from within the call, where there is still somebody else to answer.
void linux_vmm::refuse(std::function<void(failure)> done) {
  failure why{ENOTCONN, not_running};
  if (!living_->while_open([&] { host_.loop.post([done, why] { done(why); }); }))
    done(why);
}

void linux_vmm::ask(vmm_request what, vmm_process::completion done) {
  reach(failpoint::ask_vmm);
  if (auto to = channel())
    return to->ask(what, std::move(done));
  refuse(std::move(done));
}

void linux_vmm::get_balloon(vmm_process::balloon_completion done) {
  if (auto to = channel())
    return to->get_balloon(std::move(done));
  refuse(std::move(done));
}

void linux_vmm::set_balloon(std::uint64_t size_bytes, vmm_process::completion done) {
  if (auto to = channel())
    return to->set_balloon(size_bytes, std::move(done));
  refuse(std::move(done));
}

void linux_vmm::connect_vsock(std::uint32_t port, std::chrono::milliseconds bound,
                              vmm_process::connection done) {
  reach(failpoint::connect_guest);
  {
    std::lock_guard lock{mutex_};
    if (phase_ == phase::running && device_)
      return device_->channel()->connect(port, bound, std::move(done));
    if (phase_ == phase::running && kernel_cid_ != no_cid)
      return connect_kernel_vsock(host_.loop, kernel_cid_, port, bound, std::move(done));
    if (phase_ != phase::running)
      return refuse(std::move(done));
  }
  host_.loop.post([done = std::move(done)] { done(failure{ENODEV, "the VM has no vsock"}); });
}

void linux_vmm::get_origin(vmm_process::origin_completion done) {
  done(failure{ENOTSUP, "the files that it was created with are not kept"});
}

void linux_vmm::signal(int number) {
  reach(failpoint::signal_vmm);
  std::lock_guard lock{mutex_};
  if (child_)
    return child_->signal(number);
  if (phase_ == phase::launching && wanted_signal_ != SIGKILL)
    wanted_signal_ = number;
}

void linux_vmm::release(std::function<void()> done) {
  {
    std::lock_guard lock{mutex_};
    if (phase_ != phase::ended) {
      released_ = [before = std::move(released_), done = std::move(done)] {
        if (before)
          before();
        done();
      };
      return;
    }
  }
  remove_dir(std::move(done));
}

void linux_vmm::abandon() {
  signal(SIGKILL);
  release([] {});
}

void linux_vmm::remove_dir(std::function<void()> done) {
  struct kept {
    std::unique_ptr<runtime_dir> dir;
    vm_confinement confinement;
  };
  auto last = std::make_shared<kept>();
  {
    std::lock_guard lock{mutex_};
    last->dir = std::move(dir_);
    last->confinement = std::move(confinement_);
  }
  auto task = [last = std::move(last), done = std::move(done)]() mutable {
    reach(failpoint::remove_runtime_dir);
    last = nullptr;
    done();
  };
  // Removing files may take its time.
  if (!living_->while_open([&] { host_.starters.post(std::move(task)); }))
    task();
}

// -- the process, once there is one: all on the loop's thread --------------------

void linux_vmm::connect(const vmm_driver& driver, control_endpoint endpoint,
                        const vm_description& vm) {
  auto weak = weak_from_this();
  channel_callbacks callbacks;
  callbacks.on_up = [weak] {
    if (auto self = weak.lock()) {
      self->was_up_ = true;
      self->step_done("vmm");
      self->tell_steps();
      reach(failpoint::tell_up);
      self->callbacks_.on_up(self->child_->pid());
    }
  };
  callbacks.on_fault = [weak](std::string what) {
    if (auto self = weak.lock())
      self->callbacks_.on_fault(std::move(what));
  };
  auto made =
    driver.connect(host_.loop, host_.channels, std::move(endpoint), vm, std::move(callbacks));
  {
    std::lock_guard lock{mutex_};
    channel_ = std::move(made);
  }
  connected_ = true;
  watch_companions();
  if (status_.kind != exit_kind::none)
    conclude();
}

void linux_vmm::exited(exit_status status) {
  status_ = status;
  if (connected_)
    conclude(); // Otherwise once the channel is there to read what was said.
}

void linux_vmm::watch_companions() {
  companions_->watch([weak = weak_from_this()](std::string what) {
    if (auto self = weak.lock(); self && self->status_.kind == exit_kind::none)
      self->callbacks_.on_fault(std::move(what));
  });
}

void linux_vmm::conclude() {
  parts_left_ = 7;
  auto self = shared_from_this();
  channel()->conclude(status_, [self](vmm_exit exit) {
    self->exit_ = std::move(exit);
    self->part_done();
  });
  finish_log(console_);
  finish_log(log_);
  finish_log(failures_, &failure_text_);
  conclude_companions();
  conclude_pstore();
}

/// Before anybody is told of the end, and not on the loop, since the file may be anywhere.
void linux_vmm::conclude_pstore() {
  if (!pstore_)
    return part_done();
  host_.starters.post([self = shared_from_this()] {
    if (auto written = self->pstore_.write_back(); !written)
      log::warn("pstore: what the guest left can't be kept: {}", written.why().what);
    self->host_.loop.post([self] {
      self->pstore_ = {};
      self->part_done();
    });
  });
}

/// The VMM's own log is that of its companions too, and ends with them.
void linux_vmm::conclude_companions() {
  companions_->conclude([self = shared_from_this()] {
    self->finish_log(self->vmm_log_, &self->last_words_);
    self->part_done();
  });
}

void linux_vmm::finish_log(std::shared_ptr<console_log>& log, std::string* tail) {
  auto self = shared_from_this();
  // Called on the logs' loop; the rest is this one's.
  log->finish([self, tail](std::string text) {
    self->host_.loop.post([self, tail, text = std::move(text)]() mutable {
      if (tail != nullptr)
        *tail = std::move(text);
      self->part_done();
    });
  });
  log = nullptr;
}

void linux_vmm::part_done() {
  if (--parts_left_ == 0)
    report();
}

void linux_vmm::report() {
  if (!was_up_) {
    step_done("vmm");
    tell_steps();
  }
  // A VMM that could not start the guest says why on its standard error alone.
  auto words = last_line(last_words_);
  if ((exit_.reason == death_reason::start_failed || !was_up_) && !words.empty())
    exit_.detail += (exit_.detail.empty() ? "" : ": ") + words;
  if (auto failure = parse_early_failure(failure_text_)) {
    exit_.reason = failure->reason;
    exit_.detail = std::move(failure->detail);
  }
  if (auto files = crashes_ ? crashes_->received() : 0; files > 0)
    exit_.detail += (exit_.detail.empty() ? "" : "; ") + std::to_string(files) + " crash file"
                    + (files == 1 ? "" : "s") + " came";
  crashes_ = nullptr;
  std::function<void()> released;
  {
    std::lock_guard lock{mutex_};
    phase_ = phase::ended;
    child_ = nullptr;
    channel_ = nullptr;
    device_ = nullptr;
    companions_ = nullptr;
    released = std::move(released_);
  }
  host_.starters.post(
    [&logs = *host_.logs, name = std::move(log_name_)]() mutable { logs.retire(std::move(name)); });
  if (released)
    remove_dir(std::move(released));
  auto callbacks = std::exchange(callbacks_, {}); // What they hold goes with the process.
  reach(failpoint::tell_exit);
  callbacks.on_exit(std::move(exit_));
  living_->remove(this);
}

} // namespace crosvisor::io
