// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/keeper/kept_vmm.hpp"

#include "crosvisor/io/failpoint.hpp"
#include "crosvisor/io/keeper/value_arrays.hpp"
#include "crosvisor/io/logging.hpp"

#include <cerrno>
#include <csignal>
#include <utility>

namespace crosvisor::io {

namespace {

using nlohmann::json;
using namespace std::chrono_literals;

/// How long a keeper may take to end its VM when that is killed, before it is killed itself.
constexpr std::chrono::seconds kill_bound = 10s;

std::shared_ptr<kept_stream_state> state_of(const std::shared_ptr<guest_streams>& streams) {
  auto kept = std::dynamic_pointer_cast<kept_streams>(streams);
  return kept ? kept->state() : nullptr;
}

} // namespace

kept_vmm::kept_vmm(keeper_host& host, vm_cid cid, vm_name name,
                   const std::shared_ptr<guest_streams>& streams, vmm_callbacks callbacks)
    : host_(host),
      loop_(host.loop),
      living_(host.living),
      cid_(cid),
      name_(std::move(name)),
      streams_(state_of(streams)),
      link_(std::make_shared<keeper_link>(*loop_)),
      remains_(std::make_shared<keeper_remains>(host.places, cid)),
      callbacks_(std::move(callbacks)),
      deadline_(loop_->context()) {}

void kept_vmm::post(std::function<void(kept_vmm&)> task) {
  loop_->post([self = shared_from_this(), task = std::move(task)] { task(*self); });
}

void kept_vmm::work(std::function<void()> task) {
  if (!living_->while_open([&] { host_.workers.post(task); }))
    task();
}

// -- requests --------------------------------------------------------------------

void kept_vmm::ask(json body, std::chrono::milliseconds bound, answered done) {
  reach(failpoint::ask_keeper);
  post([body = std::move(body), bound, done = std::move(done)](kept_vmm& self) {
    self.link_->request(body, bound, done);
  });
}

void kept_vmm::ask(json body, vmm_process::completion done) {
  ask(std::move(body), keeper_answer_bound,
      [done = std::move(done)](const result<keeper_message>& answer) {
        done(answer ? result<void>{} : answer.why());
      });
}

void kept_vmm::ask(vmm_request what, vmm_process::completion done) {
  ask({{"type", "ask"}, {"what", to_json_value(what)}}, std::move(done));
}

void kept_vmm::get_balloon(vmm_process::balloon_completion done) {
  auto read = [done = std::move(done)](const result<keeper_message>& answer) {
    if (!answer)
      return done(answer.why());
    balloon_info info;
    if (!read_member(answer->body, "size_bytes", info.size_bytes)
        || !read_member(answer->body, "memory_bytes", info.memory_bytes))
      return done(failure{EPROTO, "the VM's keeper answered without a size"});
    done(info);
  };
  ask({{"type", "get_balloon"}}, keeper_answer_bound, std::move(read));
}

void kept_vmm::set_balloon(std::uint64_t size_bytes, vmm_process::completion done) {
  ask({{"type", "set_balloon"}, {"size_bytes", size_bytes}}, std::move(done));
}

void kept_vmm::connect_vsock(std::uint32_t port, std::chrono::milliseconds bound,
                             vmm_process::connection done) {
  auto take = [done = std::move(done)](result<keeper_message> answer) {
    if (!answer)
      return done(answer.why());
    if (answer->fds.empty())
      return done(failure{EMFILE, "the connection got lost on its way from the VM's keeper"});
    done(std::make_shared<unique_fd>(std::move(answer->fds.front())));
  };
  // The keeper's own bound is the one that counts.
  ask({{"type", "connect"}, {"port", port}, {"bound_ms", bound.count()}},
      bound + keeper_answer_bound, std::move(take));
}

void kept_vmm::signal(int number) {
  reach(failpoint::signal_keeper);
  auto before = wanted_signal_.load();
  while (before != SIGKILL && !wanted_signal_.compare_exchange_weak(before, number))
    ;
  post([number](kept_vmm& self) {
    self.link_->send({{"type", "signal"}, {"number", number}});
    if (number == SIGKILL && !self.exit_told_ && !self.concluding_)
      self.arm(kill_bound, [](kept_vmm& late) {
        log::error("keeper of vm {} did not end its vmm when told to, and is killed", late.cid_);
        if (late.process_)
          late.process_->kill();
      });
  });
}

void kept_vmm::note(std::string key, std::string value) {
  reach(failpoint::note_vm);
  json body{{"type", "note"}, {"key", to_json_value(key)}, {"value", to_json_value(value)}};
  post([body = std::move(body)](kept_vmm& self) { self.link_->send(body); });
}

void kept_vmm::get_origin(vmm_process::origin_completion done) {
  post([done = std::move(done)](kept_vmm& self) {
    if (!self.origin_)
      return done(failure{ENOTSUP, "the files that it was created with are not kept"});
    self.fetch_files(std::make_shared<descriptor_set>(), done);
  });
}

/// Those that are missing in `files`, as many at a time as a packet takes.
void kept_vmm::fetch_files(std::shared_ptr<descriptor_set> files,
                           vmm_process::origin_completion done) {
  auto take = [weak = weak_from_this(), files, done](result<keeper_message> answer) {
    auto self = weak.lock();
    if (!answer || !self)
      return done(answer ? failure{ENOTCONN, "the VM's keeper is not there"} : answer.why());
    std::uint64_t count = 0;
    if (!read_member(answer->body, "files", count))
      return done(failure{EPROTO, "the VM's keeper answered without a number of files"});
    for (auto& fd : answer->fds)
      files->add(std::move(fd));
    if (files->size() < count && answer->fds.empty())
      return done(failure{EMFILE, "files got lost on their way from the VM's keeper"});
    if (files->size() < count)
      return self->fetch_files(files, done);
    done(vm_origin{self->origin_->config, self->origin_->choice, files});
  };
  link_->request({{"type", "get_origin"}, {"first", files->size()}}, keeper_answer_bound,
                 std::move(take));
}

void kept_vmm::release(std::function<void()> done) {
  post([done = std::move(done)](kept_vmm& self) {
    self.releasing_ = true;
    self.released_.push_back(done);
    if (self.ended_)
      self.tell_released();
    else if (self.exit_told_)
      self.send_release();
  });
}

void kept_vmm::abandon() {
  if (living_->leaving)
    return;
  if (!living_->while_open([] {}))
    return remains_->remove_record(); // Nothing else is left of it.
  signal(SIGKILL);
  release([] {});
}

void kept_vmm::expel() {
  post([](kept_vmm& self) {
    if (self.process_)
      self.process_->kill();
  });
}

void kept_vmm::leave() {
  post([](kept_vmm& self) {
    if (std::exchange(self.left_, true) || self.ended_)
      return;
    self.deadline_.cancel();
    self.link_->close();
    self.process_ = nullptr;
    self.callbacks_ = {};
    if (self.streams_)
      self.streams_->leave();
    self.forget();
  });
}

// -- from the launch to a connection ---------------------------------------------

void kept_vmm::launch(launch_request request) {
  self_ = shared_from_this();
  launch_began_us_ = unix_time_us();
  auto keeper = [&]() -> result<running_keeper> {
    if (wanted_signal_ != 0)
      return failure{ECANCELED, "the VM was stopped before its VMM was started"};
    // One whose output is still being read has been released; its CID is another's now.
    for (const auto& other : living_->all())
      if (other.get() != this && other->cid() == cid_)
        other->expel();
    living_->wait_for_end_of_others(cid_, this, keeper_end_bound);
    return start_keeper(host_, request, [weak = weak_from_this()](exit_status s) {
      if (auto self = weak.lock())
        self->process_ended(s);
    });
  }();
  if (request.files)
    request.files->clear(); // The keeper has its own; ours would keep files locked.
  request = {};
  auto shared = std::make_shared<result<running_keeper>>(std::move(keeper));
  post([shared](kept_vmm& self) {
    if (*shared)
      self.attach(std::move(**shared));
    else
      self.fail(launch_failure::host, shared->why().what);
  });
}

void kept_vmm::attach(running_keeper keeper) {
  if (left_)
    return; // The next service finds it.
  process_ = std::move(keeper.process);
  connect(std::move(keeper.socket));
}

void kept_vmm::adopt(found_keeper found) {
  reach(failpoint::adopt_vm);
  self_ = shared_from_this();
  auto shared = std::make_shared<found_keeper>(std::move(found));
  post([shared](kept_vmm& self) { self.attach_found(std::move(*shared)); });
}

void kept_vmm::attach_found(found_keeper found) {
  adopted_ = true;
  if (left_)
    return;
  origin_ = std::move(found.origin);
  if (!found.socket) {
    keeper_words_ = "its keeper ended while no service ran";
    link_ended_ = process_ended_ = true;
    return keeper_ended();
  }
  auto watched =
    watched_keeper::watch(*loop_, std::move(found.pidfd), [weak = weak_from_this()](exit_status s) {
      if (auto self = weak.lock())
        self->process_ended(s);
    });
  if (watched)
    process_ = std::move(*watched);
  else
    process_ended_ = true; // Its connection will have to do.
  connect(std::move(found.socket));
}

void kept_vmm::connect(unique_fd socket) {
  keeper_link::handlers from;
  from.on_message = [weak = weak_from_this()](const std::string& type, keeper_message message) {
    if (auto self = weak.lock())
      self->receive(type, std::move(message));
  };
  from.on_end = [weak = weak_from_this()](std::string why) {
    if (auto self = weak.lock())
      self->link_ended(std::move(why));
  };
  if (auto opened = link_->open(std::move(socket), std::move(from)); !opened) {
    link_->close();
    return link_ended(opened.why().what);
  }
  if (streams_)
    streams_->attach(link_);
}

void kept_vmm::arm(std::chrono::milliseconds bound, std::function<void(kept_vmm&)> task) {
  deadline_.expires_after(bound);
  deadline_.async_wait(
    [weak = weak_from_this(), task = std::move(task)](const boost::system::error_code& why) {
      if (auto self = weak.lock(); self && !why)
        task(*self);
    });
}

void kept_vmm::forget() {
  living_->remove(this);
  auto last = std::exchange(self_, nullptr); // With the caller's own, it is not the last yet.
}

} // namespace crosvisor::io
