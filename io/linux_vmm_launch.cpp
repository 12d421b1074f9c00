// SPDX-License-Identifier: Apache-2.0
// The launch of a VMM: all that happens before its process is there.
#include "crosvisor/io/failpoint.hpp"
#include "crosvisor/io/guest/early_failure.hpp"
#include "crosvisor/io/guest/guest_door.hpp"
#include "crosvisor/io/linux_vmm_resources.hpp"
#include "crosvisor/io/logging.hpp"
#include "crosvisor/io/tap_interface.hpp"

#include <fcntl.h>

#include <csignal>
#include <utility>

namespace crosvisor::io {

namespace {

void describe(const launch_request& request, const vm_file_descriptors& files, vm_description& vm) {
  vm.cid = request.cid;
  vm.name = request.config.name;
  vm.accel = request.choice.accel;
  vm.memory_mib = request.config.memory_mib;
  vm.cpus = request.config.cpus;
  vm.protected_vm = request.config.protected_vm;
  vm.kernel = files.kernel;
  vm.initrd = files.initrd;
  vm.bootloader = files.bootloader;
  vm.params = request.config.params;
  vm.disks = files.disks;
  const auto& devices = request.config.devices;
  vm.devices.topology = devices.topology;
  vm.devices.hugepages = devices.hugepages;
  vm.devices.rng = devices.rng;
  if (devices.network) {
    vm.devices.tap = request.files->get(devices.network.tap.index);
    vm.devices.mac = devices.network.mac.empty() ? mac_of(request.cid) : devices.network.mac;
  }
  vm.vsock = request.vsock ? request.vsock->get() : -1;
}

} // namespace

/// The next one begins with its end.
void linux_vmm::step_done(const char* name) {
  auto now = unix_time_us();
  steps_.push_back({name, std::exchange(step_began_us_, now), now});
}

void linux_vmm::tell_steps() {
  for (auto& step : std::exchange(steps_, {}))
    if (callbacks_.on_step)
      callbacks_.on_step(std::move(step));
}

void linux_vmm::launch(launch_request request) {
  step_began_us_ = unix_time_us();
  launch_result failed;
  std::string log_name;
  {
    vmm_resources made;
    failed = try_launch(request, made);
    log_name = made.logs.name;
    if (request.files)
      request.files->clear(); // The VMM has its own; ours would keep files locked.
    request.vsock = nullptr;
    request.disks = nullptr; // The same with these.
    if (failed && made.beside)
      made.beside->stop();
    if (!failed)
      return take(*host_.driver(request.choice.vmm), made);
  } // All that was made has gone before anybody is told; what the loop closes, in its next turn.
  if (!log_name.empty())
    host_.logs->discard(log_name);
  host_.loop.post([self = shared_from_this(), why = std::move(failed)] { self->fail(*why); });
}

linux_vmm::launch_result linux_vmm::try_launch(launch_request& request, vmm_resources& made) {
  auto* driver = host_.driver(request.choice.vmm);
  if (driver == nullptr)
    return std::make_unique<launch_error>(launch_error{
      launch_failure::no_vmm, to_string(request.choice.vmm) + " is not usable on this host"});
  if (!request.files)
    request.files = std::make_shared<descriptor_set>();
  auto bad = [](const failure& why) {
    return std::make_unique<launch_error>(launch_error{launch_failure::bad_files, why.what});
  };
  if (auto fit = check_vm_files(request.config, *request.files, request.choice.vmm); !fit)
    return bad(fit.why());
  auto files = describe_vm_files(request.config, *request.files, request.disks.get());
  if (!files)
    return bad(files.why());
  made.files = std::move(*files);
  if (host_.confinement.users() && driver->reopens() != reopened_files::none)
    if (auto copied = copy_unreadable(request.config, made.files); !copied)
      return bad(copied.why());
  describe(request, made.files, made.vm);
  if (auto able = driver->check(made.vm); !able)
    return std::make_unique<launch_error>(launch_error{launch_failure::no_vmm, able.why().what});
  if (made.vm.devices.hugepages)
    if (auto able = check_hugepages(request.choice.vmm, made.vm.memory_mib); !able)
      return std::make_unique<launch_error>(launch_error{launch_failure::host, able.why().what});
  if (auto failed = make_resources(request, made))
    return failed;
  return start(*driver, made);
}

linux_vmm::launch_result linux_vmm::make_resources(launch_request& request, vmm_resources& made) {
  auto refused = [](const failure& why) {
    return std::make_unique<launch_error>(launch_error{launch_failure::host, why.what});
  };
  if (auto why = injected(failpoint::make_runtime_dir))
    return refused(*why);
  auto dir = host_.root->make(std::to_string(request.cid));
  if (!dir)
    return refused(dir.why());
  made.dir = std::move(*dir);
  auto confinement = vm_confinement::make(host_.confinement, request.cid);
  if (!confinement)
    return refused(confinement.why());
  made.confinement = std::move(*confinement);
  auto logs = host_.logs->make(request.cid, request.config.name);
  if (!logs)
    return refused(logs.why());
  made.logs = std::move(*logs);
  if (auto done = make_logs(request, made); !done)
    return refused(done.why());
  if (auto done = make_vsock(request, made); !done)
    return refused(done.why());
  auto& driver = *host_.driver(request.choice.vmm);
  if (auto done = make_disk_servers(driver, made); !done)
    return refused(done.why());
  if (auto done = make_devices(request, made); !done)
    return refused(done.why());
  if (auto done = make_file_servers(request, made); !done)
    return refused(done.why());
  made.vm.console = made.console->writer();
  made.vm.log = made.log->writer();
  made.vm.failures = made.failures->writer();
  if (made.device)
    made.vm.vsock_device = made.device->vmm_end();
  if (auto done = make_control(driver, made); !done)
    return refused(done.why());
  return nullptr;
}

result<void> linux_vmm::make_control(const vmm_driver& driver, vmm_resources& made) {
  if (auto why = injected(failpoint::make_control))
    return *why;
  auto endpoint = driver.make_endpoint(*made.dir);
  if (!endpoint)
    return endpoint.why();
  made.endpoint = std::move(*endpoint);
  made.vm.control = made.endpoint.vmm.get();
  made.vm.control_path = made.endpoint.path;
  if (driver.reopens() == reopened_files::all)
    return made.confinement.let_into(*made.dir, made.vm);
  return {};
}

/// The kernel's where the registry has claimed the CID there, else a device's where there is one.
result<void> linux_vmm::make_vsock(const launch_request& request, vmm_resources& made) {
  make_crash_files(request.config.devices, made);
  if (request.vsock || host_.vsock_program.empty()
      || !host_.driver(request.choice.vmm)->takes_vsock_device())
    return {};
  if (auto why = injected(failpoint::make_vsock))
    return *why;
  auto device = vsock_device::make(
    host_.loop, [door = host_.door, cid = request.cid](std::uint32_t port, stream_socket socket) {
      if (door)
        door->deliver({cid, port, std::move(socket)});
    });
  if (!device)
    return failure{device.why().code, "vsock device: " + device.why().what};
  made.device = std::move(*device);
  if (host_.door)
    host_.door->add(made.device->channel());
  return {};
}

/// Before the VMM, which speaks to them before anything else.
result<void> linux_vmm::make_disk_servers(const vmm_driver& driver, vmm_resources& made) {
  made.beside = std::make_unique<companions>(host_.loop);
  if (driver.reads_composite_disks())
    return {};
  for (auto& disk : made.vm.disks) {
    if (!disk.composite)
      continue;
    if (!host_.disk_server)
      return failure{ENOENT, "disks of partitions need nbdkit and its plugin, which are not there"};
    if (auto why = injected(failpoint::make_disk_server))
      return *why;
    auto connection = make_disk_connection();
    if (!connection)
      return connection.why();
    auto command = disk_server_command(host_.disk_server, disk, connection->server.get(),
                                       made.vmm_log->writer());
    made.confinement.apply_to(command);
    if (auto done = made.beside->start("disk server", command); !done)
      return failure{done.why().code, "disk server: " + done.why().what};
    disk.server = connection->vmm.get();
    made.disk_ends.push_back(std::move(connection->vmm));
  }
  return {};
}

result<void> linux_vmm::make_logs(const launch_request& request, vmm_resources& made) {
  if (auto why = injected(failpoint::make_logs))
    return *why;
  auto make = [&](const file_ref& sink, const char* name) -> result<std::shared_ptr<console_log>> {
    if (!sink)
      return log_to_files(host_.log_loop, made.logs.fd, name, host_.bounds);
    unique_fd own{::fcntl(request.files->get(sink.index), F_DUPFD_CLOEXEC, 3)};
    if (!own)
      return last_failure("descriptor of " + sink.path);
    return log_to_descriptor(host_.log_loop, std::move(own));
  };
  auto console = make(request.config.console, "console.log");
  if (!console)
    return console.why();
  auto log = make(request.config.log, "log.log");
  if (!log)
    return log.why();
  auto vmm_log = make({}, "vmm.log");
  if (!vmm_log)
    return vmm_log.why();
  made.console = std::move(*console);
  made.log = std::move(*log);
  made.vmm_log = std::move(*vmm_log);
  auto failures = log_to_memory(host_.log_loop, max_early_failure_bytes);
  if (!failures)
    return failures.why();
  made.failures = std::move(*failures);
  return {};
}

linux_vmm::launch_result linux_vmm::start(const vmm_driver& driver, vmm_resources& made) {
  {
    std::lock_guard lock{mutex_};
    if (wanted_signal_ != 0)
      return std::make_unique<launch_error>(
        launch_error{launch_failure::host, "the VM was stopped before its VMM was started"});
  }
  step_done("prepare");
  auto command = driver.command(made.vm);
  command.stdout_fd = command.stderr_fd = made.vmm_log->writer();
  made.confinement.apply_to(command, made.vm.accel);
  if (auto why = injected(failpoint::start_vmm))
    return std::make_unique<launch_error>(launch_error{launch_failure::host, why->what});
  auto child = child_process::start(
    host_.loop, command, [self = shared_from_this()](exit_status s) { self->exited(s); });
  if (!child) {
    auto where = program_at_fault(child.why()) ? launch_failure::no_vmm : launch_failure::host;
    return std::make_unique<launch_error>(launch_error{where, child.why().what});
  }
  made.child = std::move(*child);
  step_done("spawn");
  reach(failpoint::vmm_started);
  log::debug("vm {} started vmm pid {}", made.vm.cid, made.child->pid());
  start_vsock(made);
  return nullptr;
}

/// After the VMM, which thereby runs the sooner. It needs its device, so a failure is the VM's.
void linux_vmm::start_vsock(vmm_resources& made) {
  if (!made.device)
    return;
  auto command = made.device->command(host_.vsock_program, made.vm.cid, made.vmm_log->writer());
  made.confinement.apply_to(command);
  auto started = made.beside->start("vsock device", command);
  made.device->close_ends();
  if (!started)
    made.beside->add_problem("its vsock device: " + started.why().what);
}

void linux_vmm::take(const vmm_driver& driver, vmm_resources& made) {
  made.endpoint.vmm.reset();
  made.disk_ends.clear();
  made.share_ends.clear();
  made.gdb.reset();
  pstore_ = std::move(made.pstore);
  crashes_ = std::move(made.crashes);
  made.console->close_writer();
  made.log->close_writer();
  made.vmm_log->close_writer();
  made.failures->close_writer();
  console_ = std::move(made.console);
  log_ = std::move(made.log);
  vmm_log_ = std::move(made.vmm_log);
  failures_ = std::move(made.failures);
  log_name_ = std::move(made.logs.name);
  {
    std::lock_guard lock{mutex_};
    phase_ = phase::running;
    dir_ = std::move(made.dir);
    confinement_ = std::move(made.confinement);
    device_ = std::move(made.device);
    companions_ = std::move(made.beside);
    kernel_cid_ = made.vm.vsock >= 0 ? made.vm.cid : no_cid;
    child_ = std::move(made.child);
    if (wanted_signal_ != 0)
      child_->signal(wanted_signal_);
  }
  host_.loop.post(
    [self = shared_from_this(), &driver, endpoint = std::move(made.endpoint),
     vm = std::move(made.vm)]() mutable { self->connect(driver, std::move(endpoint), vm); });
}

void linux_vmm::fail(const launch_error& why) {
  tell_steps();
  std::function<void()> released;
  {
    std::lock_guard lock{mutex_};
    phase_ = phase::ended;
    released = std::move(released_);
  }
  auto callbacks = std::exchange(callbacks_, {});
  callbacks.on_launch_failed(why.where, why.what);
  if (released)
    released();
  living_->remove(this);
}

} // namespace crosvisor::io
