// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/daemon/daemon_sockets.hpp"

#include "crosvisor/service/endpoint.hpp"

#include <utility>

namespace crosvisor {

namespace {

/// Makes one of the two local sockets, unless it was passed.
io::result<void> open_local(const daemon_config& config, const std::string& path, int type,
                            std::optional<io::unix_listener>& file, io::unique_fd& socket) {
  if (socket)
    return {};
  auto made = io::unix_listener::open(
    {path, type, config.socket_mode.value_or(default_socket_mode), config.socket_gid});
  if (!made)
    return made.why();
  file.emplace(std::move(*made));
  socket = file->take();
  return {};
}

io::result<void> open_tls(const daemon_config& config, io::unique_fd& socket) {
  if (!config.tls && socket)
    return io::failure{0, "socket activation: a TCP socket was passed, and the configuration has "
                          "no \"tls\""};
  if (!config.tls || socket)
    return {};
  auto made = io::listen_tcp(config.tls->address, config.tls->port);
  if (!made)
    return made.why();
  socket = std::move(*made);
  return {};
}

/// Readable by root, the daemon's user and the sockets' group.
constexpr mode_t metrics_socket_mode = 0660;

io::result<void> open_metrics(const daemon_config& config, daemon_sockets& sockets) {
  if (!config.metrics)
    return {};
  if (config.metrics->path.empty()) {
    auto made = io::listen_tcp(config.metrics->address, config.metrics->port);
    if (!made)
      return io::failure{made.why().code, "metrics.listen: " + made.why().what};
    sockets.metrics = std::move(*made);
    return {};
  }
  auto made = io::unix_listener::open(
    {config.metrics->path, SOCK_STREAM, metrics_socket_mode, config.socket_gid});
  if (!made)
    return io::failure{made.why().code, "metrics.listen: " + made.why().what};
  sockets.metrics_file.emplace(std::move(*made));
  sockets.metrics = sockets.metrics_file->take();
  return {};
}

/// What can't go together.
io::result<void> check(const io::inherited_sockets& inherited) {
  if (!inherited.stream && inherited.packet)
    return io::failure{0, "socket activation: a SOCK_SEQPACKET socket was passed without the "
                          "SOCK_STREAM one beside it"};
  if (inherited.stream && !inherited.packet && inherited.stream_path.empty())
    return io::failure{0, "socket activation: the SOCK_STREAM socket has no path, so the "
                          "SOCK_SEQPACKET one beside it must be passed too"};
  return {};
}

} // namespace

io::result<daemon_sockets> open_daemon_sockets(const daemon_config& config,
                                               io::inherited_sockets inherited) {
  if (auto checked = check(inherited); !checked)
    return checked.why();
  daemon_sockets sockets;
  sockets.path = inherited.stream ? inherited.stream_path : config.socket;
  if (!sockets.path.empty()) {
    auto lock = io::path_lock::take(sockets.path);
    if (!lock)
      return lock.why();
    sockets.lock.emplace(std::move(*lock));
  }
  sockets.clients = std::move(inherited.stream);
  sockets.descriptors = std::move(inherited.packet);
  sockets.tls = std::move(inherited.tcp);
  auto opened = open_local(config, sockets.path, SOCK_STREAM, sockets.client_file, sockets.clients);
  if (opened)
    opened = open_local(config, descriptor_socket_of(sockets.path), SOCK_SEQPACKET,
                        sockets.descriptor_file, sockets.descriptors);
  if (opened)
    opened = open_tls(config, sockets.tls);
  if (opened)
    opened = open_metrics(config, sockets);
  if (!opened)
    return opened.why();
  return sockets;
}

void daemon_sockets::remove_files() noexcept {
  if (client_file)
    client_file->remove_file();
  if (descriptor_file)
    descriptor_file->remove_file();
  if (metrics_file)
    metrics_file->remove_file();
}

} // namespace crosvisor
