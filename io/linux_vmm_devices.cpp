// SPDX-License-Identifier: Apache-2.0
// The launch of a VMM: what its devices need besides a command line.
#include "crosvisor/io/linux_vmm_resources.hpp"
#include "crosvisor/io/listening_socket.hpp"
#include "crosvisor/io/vmm/file_server.hpp"

#include <fcntl.h>

#include <utility>

namespace crosvisor::io {

/// The debugger's port is taken here, so that it is known to be free, and no other address is.
result<void> linux_vmm::make_devices(const launch_request& request, vmm_resources& made) {
  const auto& devices = request.config.devices;
  if (devices.gdb_port != 0) {
    auto port = listen_tcp("127.0.0.1", static_cast<std::uint16_t>(devices.gdb_port));
    if (!port)
      return failure{port.why().code, "gdb: " + port.why().what};
    made.gdb = std::move(*port);
    made.vm.devices.gdb = made.gdb.get();
  }
  if (!devices.pstore)
    return {};
  auto memory = pstore_memory::copy(request.files->get(devices.pstore.index));
  if (!memory)
    return memory.why();
  made.pstore = std::move(*memory);
  made.vm.devices.pstore = made.pstore.fd();
  made.vm.devices.pstore_bytes = made.pstore.size_bytes();
  return {};
}

/// They have the VM's cgroup, and its creator's rights.
result<void> linux_vmm::make_file_servers(const launch_request& request, vmm_resources& made) {
  const auto& all = request.config.devices.shared_directories;
  if (all.empty())
    return {};
  auto programs = find_file_server(host_.share_program);
  if (!programs)
    return programs.why();
  auto user = file_server_user(request.owner);
  if (!user)
    return user.why();
  for (const auto& shared : all) {
    auto connection = connect_file_server(*made.dir);
    if (!connection)
      return connection.why();
    auto command =
      file_server_command(*programs, request.files->get(shared.directory.index), shared.writable,
                          connection->server.get(), made.vmm_log->writer());
    made.confinement.join_cgroup(command);
    command.user = *user;
    if (auto done = made.beside->start("file server", command); !done)
      return failure{done.why().code, "file server: " + done.why().what};
    made.vm.devices.shares.push_back({shared.tag, connection->vmm.get()});
    made.share_ends.push_back(std::move(connection->vmm));
  }
  return {};
}

/// They come by the door, whichever way the VM has its vsock. What comes late must not keep the
/// folder locked, which the VM's next life wants: so it is opened once more.
void linux_vmm::make_crash_files(const device_config& devices, vmm_resources& made) {
  if (devices.crash_files == 0 || !host_.door)
    return;
  auto folder = std::make_shared<const unique_fd>(
    ::openat(made.logs.fd->get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  made.crashes = std::make_shared<crash_files>(
    host_.log_loop, made.vm.cid, [folder] { return *folder ? folder : nullptr; },
    log_bounds{std::uint64_t{devices.crash_file_kib} << 10, devices.crash_files});
  host_.door->add(made.vm.cid, made.crashes);
}

} // namespace crosvisor::io
