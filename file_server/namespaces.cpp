// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/file_server/namespaces.hpp"

#include "crosvisor/io/unique_fd.hpp"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <string>

namespace crosvisor::file_server {

namespace {

io::result<void> write_file(const char* path, const std::string& text) {
  io::unique_fd file{::open(path, O_WRONLY | O_CLOEXEC)};
  if (!file || ::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    return io::last_failure(path);
  return {};
}

} // namespace

io::result<void> enter_namespaces() {
  // In the new namespace they are nobody's until they are mapped.
  auto uid = std::to_string(::geteuid());
  auto gid = std::to_string(::getegid());
  if (::unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWIPC) != 0)
    return io::last_failure("no user namespace is allowed here (unshare); a daemon's unit needs "
                            "RestrictNamespaces=user net "
                            "ipc for shared directories");
  for (const auto& [path, text] : {std::pair{"/proc/self/setgroups", std::string{"deny"}},
                                   {"/proc/self/uid_map", "0 " + uid + " 1"},
                                   {"/proc/self/gid_map", "0 " + gid + " 1"}})
    if (auto written = write_file(path, text); !written)
      return written;
  return {};
}

} // namespace crosvisor::file_server
