// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/vmm/disk_server.hpp"

#include "crosvisor/io/config/printable.hpp"
#include "crosvisor/io/host/installed_file.hpp"
#include "crosvisor/io/host/program_probe.hpp"
#include "crosvisor/io/vmm/descriptor_paths.hpp"

#include <sys/socket.h>

#include <filesystem>

namespace crosvisor::io {

namespace {

constexpr auto plugin_name = "nbdkit-composite-plugin.so";

/// Requests that one disk has under way at a time; each thread is a server's.
constexpr auto server_threads = "4";

result<std::string> find_plugin(const std::string& given) {
  if (given.empty())
    return find_installed_file(plugin_name, CROSVISOR_NBDKIT_PLUGINDIR, file_use::read);
  // A child does not start in our directory.
  auto path = std::filesystem::absolute(given).string();
  if (::access(path.c_str(), R_OK) != 0)
    return last_failure(in_quotes(path));
  return path;
}

std::string sparse_option(const std::vector<int>& sparse) {
  std::string numbers;
  for (auto fd : sparse)
    numbers += (numbers.empty() ? "" : ",") + std::to_string(fd);
  return "sparse=" + (numbers.empty() ? "none" : numbers);
}

} // namespace

result<disk_server_programs> find_disk_server(const std::string& plugin,
                                              const std::vector<std::string>& program_dirs) {
  auto nbdkit = find_program({{}, "nbdkit", program_dirs, "install the package nbdkit"});
  if (!nbdkit)
    return nbdkit.why();
  auto found = find_plugin(plugin);
  if (!found)
    return found.why();
  return disk_server_programs{*nbdkit, *found};
}

result<disk_connection> make_disk_connection() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return last_failure("connection to a disk server");
  return disk_connection{unique_fd{ends[0]}, unique_fd{ends[1]}};
}

child_command disk_server_command(const disk_server_programs& programs, const described_disk& disk,
                                  int server_end, int log) {
  child_command command;
  command.program = programs.nbdkit;
  command.argv = {programs.nbdkit, "--single", "--log=stderr", "--threads", server_threads};
  if (!disk.writable)
    command.argv.push_back("--readonly");
  command.argv.push_back(programs.plugin);
  command.argv.push_back("file=" + descriptor_path(disk.fd));
  command.argv.push_back(sparse_option(disk.sparse));
  command.inherited = disk.components;
  command.inherited.push_back(disk.fd);
  command.stdin_fd = command.stdout_fd = server_end;
  command.stderr_fd = log;
  return command;
}

} // namespace crosvisor::io
