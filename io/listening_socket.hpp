// SPDX-License-Identifier: Apache-2.0
// Sockets that wait for clients.
#pragma once

#include "crosvisor/io/result.hpp"
#include "crosvisor/io/unique_fd.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace crosvisor::io {

/// How long the path of a Unix socket may be: unix(7), without the NUL.
inline constexpr std::size_t max_socket_path_bytes = 107;

struct unix_socket_options {
  /// Absolute. Its directory must exist and be one in which nobody but root and this process's user
  /// can put another file in its place.
  std::string path;
  int type = SOCK_STREAM; ///< Or SOCK_SEQPACKET.
  mode_t mode = 0600;
  /// None: the process's own.
  std::optional<gid_t> gid;
};

/// A listening AF_UNIX socket, non-blocking and close-on-exec, and its file, which goes with this
/// unless something else is in its place by then. Use from one thread at a time.
class unix_listener {
public:
  /// The file has its mode and group before anybody can connect. What a process left that has ended
  /// is replaced; what is no socket, a symlink included, is not, and neither is a socket that
  /// somebody listens to (EADDRINUSE). Changes the process's umask for a moment: for the time
  /// before there are threads.
  static result<unix_listener> open(const unix_socket_options& options);

  unix_listener(unix_listener&& other) noexcept = default;
  unix_listener& operator=(unix_listener&&) = delete;
  ~unix_listener();

  /// Gives the socket away; the file stays this one's.
  unique_fd take() noexcept { return std::move(socket_); }

  /// Gives the file another name in its directory, in the place of what is there.
  result<void> rename(const std::string& name);

  /// Removes the file now: nobody finds the way in any more.
  void remove_file() noexcept;

private:
  unix_listener(unique_fd socket, unique_fd directory, std::string name)
      : socket_(std::move(socket)), directory_(std::move(directory)), name_(std::move(name)) {}

  result<void> dress(const unix_socket_options& options);

  unique_fd socket_;
  unique_fd directory_; ///< -1: the file is no longer this one's.
  std::string name_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

/// A listening TCP socket, non-blocking and close-on-exec. IPv6 addresses take IPv6 alone.
/// @param address an IPv4 or IPv6 address. @param port 0: one that is free.
result<unique_fd> listen_tcp(const std::string& address, std::uint16_t port);

} // namespace crosvisor::io
