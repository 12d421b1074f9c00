// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/listening_socket.hpp"

#include "crosvisor/io/config/printable.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace crosvisor::io {

namespace {

constexpr int socket_flags = SOCK_NONBLOCK | SOCK_CLOEXEC;

std::string named(const std::string& path) {
  return "socket " + in_quotes(path);
}

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, max_socket_path_bytes);
  return address;
}

int call(int (*what)(int, const sockaddr*, socklen_t), int socket, const sockaddr_un& address) {
  return what(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

/// The directory of a socket, where nobody else can exchange what is in it.
result<unique_fd> open_directory(const std::string& path) {
  auto slash = path.rfind('/');
  auto name = slash == 0 ? std::string{"/"} : path.substr(0, slash);
  unique_fd directory{::open(name.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
  struct stat is {};
  if (!directory || ::fstat(directory.get(), &is) != 0)
    return last_failure("directory " + in_quotes(name));
  if (is.st_uid != 0 && is.st_uid != ::geteuid())
    return failure{EPERM, "directory " + in_quotes(name) + " belongs to uid "
                            + std::to_string(is.st_uid) + ", who could replace the socket"};
  auto open_to_others = (is.st_mode & (S_IWGRP | S_IWOTH)) != 0 && (is.st_mode & S_ISVTX) == 0;
  if (open_to_others)
    return failure{EPERM, "directory " + in_quotes(name)
                            + " can be written by others, who could replace the socket"};
  return directory;
}

/// Whether nobody listens to the socket that is there.
bool is_stale(const unix_socket_options& options) {
  unique_fd probe{::socket(AF_UNIX, options.type | socket_flags, 0)};
  return probe && call(::connect, probe.get(), address_of(options.path)) != 0
         && errno == ECONNREFUSED;
}

/// Removes what a process that has ended left.
result<void> make_room(int directory, const std::string& name, const unix_socket_options& options) {
  struct stat is {};
  if (::fstatat(directory, name.c_str(), &is, AT_SYMLINK_NOFOLLOW) != 0)
    return errno == ENOENT ? result<void>{} : last_failure(named(options.path));
  if (!S_ISSOCK(is.st_mode))
    return failure{EEXIST, named(options.path)
                             + ": something else is there; remove it, or "
                               "configure another path"};
  if (!is_stale(options))
    return failure{EADDRINUSE, named(options.path) + " is served by another process already"};
  if (::unlinkat(directory, name.c_str(), 0) != 0 && errno != ENOENT)
    return last_failure(named(options.path));
  return {};
}

/// Its file is for nobody else until it says otherwise.
int bind_privately(int socket, const sockaddr_un& address) {
  auto before = ::umask(0177);
  auto bound = call(::bind, socket, address);
  auto code = errno;
  ::umask(before);
  errno = code;
  return bound;
}

result<void> check_path(const std::string& path) {
  if (path.empty() || path.front() != '/' || path.back() == '/')
    return failure{EINVAL, named(path) + ": not an absolute path of a file"};
  if (path.size() > max_socket_path_bytes)
    return failure{ENAMETOOLONG, named(path) + ": a path of " + std::to_string(path.size())
                                   + " bytes; the kernel allows "
                                   + std::to_string(max_socket_path_bytes)};
  return {};
}

} // namespace

result<unix_listener> unix_listener::open(const unix_socket_options& options) {
  if (auto checked = check_path(options.path); !checked)
    return checked.why();
  auto directory = open_directory(options.path);
  if (!directory)
    return directory.why();
  auto name = options.path.substr(options.path.rfind('/') + 1);
  if (auto room = make_room(directory->get(), name, options); !room)
    return room.why();
  unique_fd socket{::socket(AF_UNIX, options.type | socket_flags, 0)};
  if (!socket || bind_privately(socket.get(), address_of(options.path)) != 0)
    return last_failure(named(options.path));
  unix_listener made{std::move(socket), std::move(*directory), std::move(name)};
  if (auto dressed = made.dress(options); !dressed)
    return dressed.why();
  return made;
}

/// Everything by a descriptor of the file, which nobody can exchange on the way.
result<void> unix_listener::dress(const unix_socket_options& options) {
  unique_fd file{::openat(directory_.get(), name_.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC)};
  struct stat is {};
  if (!file || ::fstat(file.get(), &is) != 0)
    return last_failure(named(options.path));
  if (!S_ISSOCK(is.st_mode))
    return failure{EEXIST, named(options.path) + ": something else is there"};
  device_ = is.st_dev;
  inode_ = is.st_ino;
  auto gid = options.gid.value_or(static_cast<gid_t>(-1));
  if (options.gid && ::fchownat(file.get(), "", static_cast<uid_t>(-1), gid, AT_EMPTY_PATH) != 0)
    return last_failure(named(options.path) + " can't be given to gid " + std::to_string(gid));
  // fchmod(2) refuses O_PATH; fchmodat(2) follows symlinks, which /proc's is to the file itself.
  auto self = "/proc/self/fd/" + std::to_string(file.get());
  if (::chmod(self.c_str(), options.mode) != 0 || ::listen(socket_.get(), SOMAXCONN) != 0)
    return last_failure(named(options.path));
  return {};
}

result<void> unix_listener::rename(const std::string& name) {
  if (::renameat(directory_.get(), name_.c_str(), directory_.get(), name.c_str()) != 0)
    return last_failure(named(name_));
  name_ = name;
  return {};
}

void unix_listener::remove_file() noexcept {
  unique_fd directory = std::move(directory_);
  struct stat is {};
  if (directory && ::fstatat(directory.get(), name_.c_str(), &is, AT_SYMLINK_NOFOLLOW) == 0
      && is.st_dev == device_ && is.st_ino == inode_)
    ::unlinkat(directory.get(), name_.c_str(), 0);
}

unix_listener::~unix_listener() {
  remove_file();
}

result<unique_fd> listen_tcp(const std::string& address, std::uint16_t port) {
  sockaddr_in v4{};
  sockaddr_in6 v6{};
  v4.sin_family = AF_INET;
  v6.sin6_family = AF_INET6;
  v4.sin_port = v6.sin6_port = htons(port);
  auto is_v4 = ::inet_pton(AF_INET, address.c_str(), &v4.sin_addr) == 1;
  if (!is_v4 && ::inet_pton(AF_INET6, address.c_str(), &v6.sin6_addr) != 1)
    return failure{0, in_quotes(address) + " is no IPv4 or IPv6 address"};
  auto what = "port " + std::to_string(port) + " of " + address;
  unique_fd socket{::socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | socket_flags, 0)};
  int on = 1;
  if (!socket || ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0)
    return last_failure(what);
  if (!is_v4 && ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) != 0)
    return last_failure(what);
  const auto* where =
    is_v4 ? reinterpret_cast<const sockaddr*>(&v4) : reinterpret_cast<const sockaddr*>(&v6);
  auto length = static_cast<socklen_t>(is_v4 ? sizeof v4 : sizeof v6);
  if (::bind(socket.get(), where, length) != 0 || ::listen(socket.get(), SOMAXCONN) != 0)
    return last_failure(what);
  return socket;
}

} // namespace crosvisor::io
