// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/vmm/control_socket.hpp"

#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cstring>

namespace crosvisor::io {

namespace {

/// What `sun_path` holds beside its terminating NUL.
constexpr std::size_t max_path_bytes = sizeof(sockaddr_un::sun_path) - 1;

/// As many as AOSP's virtmgr lets wait (android/virtmgr/src/crosvm.rs).
constexpr int backlog = 127;

result<void> bind_to(int fd, const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  // bind(2) takes every kind of address by this one type.
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return last_failure("bind the control socket");
  if (::listen(fd, backlog) != 0)
    return last_failure("listen on the control socket");
  return {};
}

} // namespace

result<control_endpoint> make_connected_pair() {
  std::array<int, 2> fds{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()) != 0)
    return last_failure("make the control channel");
  return control_endpoint{unique_fd{fds[0]}, unique_fd{fds[1]}, {}};
}

result<control_endpoint> make_path(const runtime_dir& dir, const std::string& name) {
  auto path = dir.path() + '/' + name;
  if (path.size() > max_path_bytes)
    return failure{ENAMETOOLONG, "the runtime directory's path is too long for a socket in it: \""
                                   + path + "\" has " + std::to_string(path.size())
                                   + " bytes, at most " + std::to_string(max_path_bytes)
                                   + " are allowed"};
  return control_endpoint{{}, {}, std::move(path)};
}

result<control_endpoint> make_listener(const runtime_dir& dir, const std::string& name) {
  auto endpoint = make_path(dir, name);
  if (!endpoint)
    return endpoint;
  endpoint->vmm.reset(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!endpoint->vmm)
    return last_failure("make the control socket");
  // By the directory's descriptor, so that nobody can swap a part of the path meanwhile.
  auto place = "/proc/self/fd/" + std::to_string(dir.fd()) + '/' + name;
  if (auto bound = bind_to(endpoint->vmm.get(), place); !bound)
    return bound.why();
  return endpoint;
}

} // namespace crosvisor::io
