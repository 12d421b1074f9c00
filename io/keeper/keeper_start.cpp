// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/keeper/keeper_start.hpp"

#include "crosvisor/io/disk/memory_file.hpp"
#include "crosvisor/io/failpoint.hpp"
#include "crosvisor/io/host/installed_file.hpp"
#include "crosvisor/io/keeper/keeper_launch.hpp"
#include "crosvisor/io/keeper/keeper_record.hpp"
#include "crosvisor/io/listening_socket.hpp"
#include "crosvisor/io/logging.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace crosvisor::io {

namespace {

/// What a keeper is given beside the VM's own.
struct keeper_descriptors {
  keeper_record record;
  unique_fd launch;
  unique_fd ours; ///< Of its connection.
  unique_fd its;
  unique_fd cgroup; ///< None: this process's.
};

vmm_info probed(const keeper_launcher_options& options, vmm_kind kind) {
  auto found = std::find_if(options.vmms.begin(), options.vmms.end(),
                            [kind](const vmm_info& vmm) { return vmm.kind == kind; });
  return found != options.vmms.end() ? *found : vmm_info{};
}

keeper_launch launch_of(const keeper_host& host, const launch_request& request) {
  keeper_launch launch;
  launch.request = request;
  launch.request.streams = nullptr;
  launch.vmm = probed(host.options, request.choice.vmm);
  launch.how = host.options.how;
  launch.how.runtime_root = host.places->runtime_root(request.cid);
  // The service alone counts whose logs are too old.
  launch.how.kept_logs = log_store::keep_all;
  launch.confinement = host.options.confinement;
  if (const auto& cgroups = host.places->cgroups)
    launch.confinement.cgroup = cgroups->keeper_path(request.cid);
  launch.programs = host.options.programs;
  launch.plugins = host.options.plugins;
  launch.boot_id = host.boot_id;
  launch.launched_ms = std::chrono::duration_cast<std::chrono::milliseconds>(
                         std::chrono::system_clock::now().time_since_epoch())
                         .count();
  launch.socket_path = host.places->socket_path(request.cid);
  return launch;
}

result<void> make_connection(keeper_descriptors& made) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    return last_failure("keeper's connection");
  made.ours.reset(ends[0]);
  made.its.reset(ends[1]);
  return {};
}

/// All but the record, which is there and locked.
result<void> fill(const keeper_host& host, const launch_request& request, const std::string& text,
                  keeper_descriptors& made) {
  if (auto written = made.record.write_launch(text); !written)
    return written;
  if (auto written = made.record.write_notes(request.notes); !written)
    return written;
  auto launch = make_memory_file("crosvisor-launch", text);
  if (!launch)
    return launch.why();
  made.launch = std::move(*launch);
  if (auto connected = make_connection(made); !connected)
    return connected;
  if (!host.places->cgroups)
    return {};
  auto cgroup = host.places->cgroups->make_keeper(request.cid);
  if (!cgroup)
    return cgroup.why();
  made.cgroup = std::move(*cgroup);
  return {};
}

child_command command_of(const keeper_host& host, const keeper_launch& launch,
                         const keeper_descriptors& with) {
  child_command command;
  command.program = host.options.program;
  command.inherited = descriptors_of(launch);
  auto give = [&](const char* option, int fd) {
    command.argv.emplace_back(option);
    command.argv.push_back(std::to_string(fd));
    command.inherited.push_back(fd);
  };
  command.argv.push_back(command.program);
  give("--launch-fd", with.launch.get());
  give("--service-fd", with.its.get());
  give("--record-fd", with.record.fd());
  command.stdout_fd = command.stderr_fd = STDERR_FILENO; // Where our own log goes.
  command.cgroup = with.cgroup.get();
  command.outlives = true;
  command.environment = keeper_failpoints();
  return command;
}

} // namespace

result<running_keeper> start_keeper(const keeper_host& host, const launch_request& request,
                                    watched_keeper::end_callback on_end) {
  auto launch = launch_of(host, request);
  if (launch.socket_path.size() > max_socket_path_bytes)
    return failure{ENAMETOOLONG, "keeper's socket \"" + launch.socket_path + "\" has more than "
                                   + std::to_string(max_socket_path_bytes) + " bytes"};
  auto record = keeper_record::make(host.places->state_dir, request.cid);
  if (!record)
    return record.why();
  keeper_descriptors made{std::move(*record), {}, {}, {}, {}};
  auto undo = [&](const failure& why) -> failure {
    host.places->remove(request.cid);
    if (auto removed = made.record.remove(); !removed)
      log::warn("record of vm {} stays: {}", request.cid, removed.why().what);
    return why;
  };
  if (auto filled = fill(host, request, encode_keeper_launch(launch), made); !filled)
    return undo(filled.why());
  if (auto why = injected(failpoint::start_keeper))
    return undo(*why);
  auto process =
    watched_keeper::start(*host.loop, command_of(host, launch, made), std::move(on_end));
  if (!process)
    return undo({process.why().code, "the VM's keeper: " + process.why().what});
  reach(failpoint::keeper_started);
  return running_keeper{std::move(made.ours), std::move(*process)};
}

result<std::string> find_keeper_program() {
  return find_installed_file(keeper_program_name, CROSVISOR_LIBEXECDIR, file_use::execute);
}

} // namespace crosvisor::io
