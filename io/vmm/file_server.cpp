// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/vmm/file_server.hpp"

#include "crosvisor/io/host/installed_file.hpp"
#include "crosvisor/io/vmm/arguments.hpp"
#include "crosvisor/io/vmm/descriptor_paths.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

namespace crosvisor::io {

namespace {

constexpr auto share_name = "crosvisor-share";
constexpr auto socket_name = "files";

/// Each file that the guest knows of is open there.
constexpr rlim_t max_open_files = 65'536;

/// The path of a descriptor is a symlink, which virtiofsd would not take for a directory.
std::string directory_path(int directory) {
  return descriptor_path(directory) + "/.";
}

arguments options_of_qemu(int directory, int server) {
  return {"--fd=" + std::to_string(server),
          "-f",
          "-o",
          "source=" + directory_path(directory),
          "-o",
          "sandbox=chroot",
          "-o",
          "cache=auto",
          "-o",
          "log_level=warn",
          "--rlimit-nofile=0"};
}

arguments todays_options(int directory, int server) {
  return {"--fd=" + std::to_string(server),
          "--shared-dir=" + directory_path(directory),
          "--sandbox=chroot",
          "--cache=auto",
          "--log-level=warn",
          "--rlimit-nofile=0"};
}

sockaddr_un address_in(const runtime_dir& dir) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  auto path = descriptor_path(dir.fd()) + '/' + socket_name; // Short, whatever the directory is.
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

} // namespace

result<file_server_programs> find_file_server(const std::string& share,
                                              const std::vector<std::string>& candidates) {
  file_server_programs found;
  found.share = share;
  if (share.empty()) {
    auto installed = find_installed_file(share_name, CROSVISOR_LIBEXECDIR, file_use::execute);
    if (!installed)
      return installed.why();
    found.share = std::move(*installed);
  }
  for (const auto& path : candidates) {
    if (::access(path.c_str(), X_OK) != 0)
      continue;
    found.virtiofsd = path;
    found.of_qemu = path.find("/qemu/") != path.npos;
    return found;
  }
  return failure{ENOENT, "shared_directories: there is no virtiofsd; install the package virtiofsd "
                         "(Debian 12: qemu-system-common)"};
}

result<std::optional<vmm_user>> file_server_user(const caller& owner) {
  auto own = ::geteuid();
  auto is_user = owner.kind == caller_kind::socket; // A certificate's uid says nothing.
  if (owner.kind == caller_kind::process || (is_user && owner.uid == own))
    return std::optional<vmm_user>{};
  if (is_user && own == 0)
    return std::optional{
      vmm_user{owner.uid, owner.gid, {owner.groups.begin(), owner.groups.end()}}};
  return failure{EPERM, "shared_directories: this service runs as uid " + std::to_string(own)
                          + " and can't serve files as " + to_string(owner)};
}

result<file_server_connection> connect_file_server(const runtime_dir& dir) {
  file_server_connection made{unique_fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)},
                              unique_fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)}};
  if (!made.vmm || !made.server)
    return last_failure("connection to a file server");
  auto address = address_in(dir);
  const auto* to = reinterpret_cast<const sockaddr*>(&address); // bind(2) takes every kind by it.
  if (::bind(made.server.get(), to, sizeof address) != 0)
    return last_failure("bind a file server's socket");
  auto connected =
    ::listen(made.server.get(), 1) == 0 && ::connect(made.vmm.get(), to, sizeof address) == 0;
  auto why = last_failure("connect to a file server");
  ::unlinkat(dir.fd(), socket_name, 0);
  if (!connected)
    return why;
  return made;
}

child_command file_server_command(const file_server_programs& programs, int directory,
                                  bool writable, int server, int log) {
  child_command command;
  command.program = programs.share;
  command.argv = {programs.share};
  if (!writable)
    command.argv.push_back("--read-only");
  command.argv.push_back(programs.virtiofsd);
  append(command.argv,
         programs.of_qemu ? options_of_qemu(directory, server) : todays_options(directory, server));
  command.inherited = {directory, server};
  command.stdout_fd = command.stderr_fd = log;
  // Not the number of processes, of which the same user may have others.
  command.limits = {{RLIMIT_CORE, 0}, {RLIMIT_NOFILE, max_open_files}};
  return command;
}

} // namespace crosvisor::io
