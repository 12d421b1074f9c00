// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/keeper/keeper_vm.hpp"

#include "crosvisor/io/keeper/keeper_values.hpp"
#include "crosvisor/io/linux_vmm_launcher.hpp"
#include "crosvisor/io/logging.hpp"
#include "crosvisor/io/private_dir.hpp"

#include <nlohmann/json.hpp>

#include <fcntl.h>

#include <cerrno>
#include <utility>

namespace crosvisor::io {

namespace {

using nlohmann::json;
using kind = keeper_fact::kind;

/// Its readers are services, which may end with what they read: that much is kept for the next one.
guest_stream_options stream_options(const vmm_launcher_options& how) {
  return {how.kept_output_bytes, how.kept_output_bytes / 2, std::chrono::seconds{2}};
}

std::string packet(const char* type, json fields) {
  fields["type"] = type;
  return to_line(fields);
}

vmm_drivers driver_of(const vmm_info& vmm) {
  vmm_drivers drivers;
  if (vmm.kind == vmm_kind::crosvm)
    drivers.crosvm = make_crosvm_driver(vmm);
  else
    drivers.qemu = make_qemu_driver(vmm);
  return drivers;
}

} // namespace

void keeper_vm::step::finish() {
  now = phase::done;
  for (auto& done : std::exchange(waiting, {}))
    done();
}

keeper_vm::keeper_vm(std::shared_ptr<event_loop> loop, handlers told, std::string runtime_root)
    : loop_(std::move(loop)), told_(std::move(told)), runtime_root_(std::move(runtime_root)) {}

result<std::shared_ptr<keeper_vm>> keeper_vm::make(std::shared_ptr<event_loop> loop,
                                                   const keeper_launch& launch, handlers told) {
  std::shared_ptr<keeper_vm> made{
    new keeper_vm{std::move(loop), std::move(told), launch.how.runtime_root}};
  auto how = launch.how;
  auto confinement = vmm_confinement::make(launch.confinement, launch.programs, launch.plugins);
  if (!confinement)
    return confinement.why();
  how.confinement = std::move(*confinement);
  how.loop = made->loop_;
  // The kernel's vsock has one listener for all VMs, which is the service's.
  made->door_ = std::make_shared<guest_door>(made->loop_, vsock_calls{});
  how.door = made->door_;
  auto launcher = make_linux_vmm_launcher(how, driver_of(launch.vmm));
  if (!launcher) {
    made->remove_runtime_root();
    return launcher.why();
  }
  made->launcher_ = std::move(*launcher);
  made->streams_ =
    make_served_guest_streams(made->loop_, made->status_callbacks(), stream_options(launch.how));
  vsock_callbacks on_guest;
  on_guest.on_connection = [self = made.get()](guest_connection connection) {
    self->take_connection(std::move(connection));
  };
  on_guest.on_lost = [](std::uint32_t, const std::string&) {};
  made->door_->open(std::move(on_guest));
  for (auto port : {payload_output_port, payload_status_port})
    if (auto served = made->door_->listen(port); !served)
      return served.why();
  return made;
}

// -- what happens -----------------------------------------------------------------

void keeper_vm::add(kind what, std::string text) {
  keeper_fact fact;
  fact.what = what;
  fact.packet = std::move(text);
  if (facts_.add(fact) && told_.on_fact)
    told_.on_fact(facts_.all().back());
}

void keeper_vm::take_connection(guest_connection connection) {
  if (finished_.now != phase::before)
    return;
  keeper_fact fact;
  fact.what = kind::connection;
  fact.connection = ++last_connection_;
  fact.packet = packet("connection", {{"connection", fact.connection}, {"port", connection.port}});
  fact.port = connection.port;
  fact.socket = std::move(connection.socket);
  auto kept = facts_.add(std::move(fact));
  if (alone_)
    read_waiting();
  else if (kept && told_.on_fact)
    told_.on_fact(facts_.all().back());
}

void keeper_vm::read_waiting() {
  facts_.read_waiting([this](std::uint32_t port, stream_socket socket) {
    if (port == payload_output_port)
      streams_->take_output(std::move(socket));
    else
      streams_->take_status(std::move(socket));
  });
}

void keeper_vm::read_alone(bool alone) {
  alone_ = alone;
  if (alone_ && finished_.now == phase::before)
    read_waiting();
}

vmm_callbacks keeper_vm::process_callbacks() {
  vmm_callbacks to;
  to.on_up = [this](std::int32_t pid) { add(kind::up, packet("up", {{"pid", pid}})); };
  to.on_step = [this](const vm_step& done) {
    add(
      kind::step,
      packet("step", {{"name", done.name}, {"begin_us", done.begin_us}, {"end_us", done.end_us}}));
  };
  to.on_fault = [this](const std::string& what) {
    add(kind::fault, packet("fault", {{"what", what}}));
  };
  to.on_launch_failed = [this](launch_failure where, const std::string& what) {
    end({exit_kind::none, 0, death_reason::start_failed, what}, kind::launch_failed,
        packet("launch_failed", {{"failure", static_cast<int>(where)}, {"what", what}}));
  };
  to.on_exit = [this](const vmm_exit& how) { end(how, kind::exit, packet("exit", to_json(how))); };
  return to;
}

stream_callbacks keeper_vm::status_callbacks() {
  stream_callbacks to;
  to.on_status = [this](const payload_status& status) {
    keeper_fact fact;
    fact.what = kind::status;
    fact.status_kind = static_cast<std::uint8_t>(status.kind);
    fact.packet = packet("status", to_json(status));
    if (facts_.add(std::move(fact)) && told_.on_fact)
      told_.on_fact(facts_.all().back());
  };
  to.on_bad_status = [this](const std::string& what) {
    add(kind::bad_status, packet("bad_status", {{"what", what}}));
  };
  return to;
}

void keeper_vm::end(const vmm_exit& how, kind what, std::string text) {
  dead_ = true;
  if (told_.on_end)
    told_.on_end(how);
  add(what, std::move(text));
}

// -- what is asked for --------------------------------------------------------------

void keeper_vm::launch(launch_request request) {
  origin_ = std::exchange(request.origin, nullptr);
  process_ = launcher_->launch(std::move(request), process_callbacks());
}

void keeper_vm::finish(std::function<void()> done) {
  if (finished_.now == phase::done)
    return done();
  finished_.waiting.push_back(std::move(done));
  if (std::exchange(finished_.now, phase::under_way) != phase::before)
    return;
  streams_->finish([self = shared_from_this()] {
    self->facts_.drop_connections(); // Nobody reads them any more.
    self->finished_.finish();
  });
}

void keeper_vm::release(std::function<void()> done) {
  if (released_.now == phase::done)
    return done();
  released_.waiting.push_back(std::move(done));
  if (std::exchange(released_.now, phase::under_way) != phase::before)
    return;
  door_->close();
  // Not from within the launcher's own call, which goes here.
  auto last = [self = shared_from_this()] {
    self->loop_->post([self] {
      self->process_ = nullptr;
      self->origin_ = nullptr;
      self->launcher_ = nullptr;
      self->remove_runtime_root();
      self->released_.finish();
    });
  };
  if (process_)
    process_->release(last);
  else
    last();
}

void keeper_vm::remove_runtime_root() {
  auto slash = runtime_root_.rfind('/');
  auto above = runtime_root_.substr(0, slash);
  unique_fd parent{::open(above.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
  if (!parent && errno == ENOENT)
    return;
  auto removed = parent ? remove_tree(parent.get(), runtime_root_.substr(slash + 1))
                        : result<void>{last_failure(above)};
  if (!removed)
    log::warn("runtime directory \"{}\" stays: {}", runtime_root_, removed.why().what);
}

} // namespace crosvisor::io
