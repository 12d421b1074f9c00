// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/keeper/greeted_keeper.hpp"

#include "crosvisor/io/config/printable.hpp"
#include "crosvisor/io/failpoint.hpp"
#include "crosvisor/io/file_bytes.hpp"
#include "crosvisor/io/keeper/keeper_launch.hpp"
#include "crosvisor/io/keeper/keeper_protocol.hpp"
#include "crosvisor/io/keeper/keeper_values.hpp"
#include "crosvisor/io/keeper/value_arrays.hpp"
#include "crosvisor/io/keeper/watched_keeper.hpp"
#include "crosvisor/io/listening_socket.hpp"
#include "crosvisor/io/tickets/descriptor_packet.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace crosvisor::io {

namespace {

using nlohmann::json;

unique_fd open_socket() {
  return unique_fd{::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
}

/// The contents of the memory file that a keeper sent.
result<std::string> read_launch_text(int fd) {
  constexpr off_t most = 16 << 20;
  auto size = ::lseek(fd, 0, SEEK_END);
  if (size < 0 || size > most)
    return failure{EBADMSG, "its launch is no file of at most 16 MiB"};
  return read_at(fd, 0, static_cast<std::size_t>(size));
}

} // namespace

greeted_keeper::greeted_keeper(const keeper_places& places, const std::string& boot_id,
                               kept_name life, keeper_record record)
    : boot_id_(boot_id),
      life_(life),
      path_(places.socket_path(life.first, life.second)),
      record_(std::move(record)),
      socket_(open_socket()) {}

result<void> greeted_keeper::connect() {
  if (auto why = injected(failpoint::greet_keeper))
    return *why;
  if (!socket_)
    socket_ = open_socket();
  if (!socket_)
    return last_failure("socket");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path_.copy(address.sun_path, max_socket_path_bytes);
  if (::connect(socket(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    return last_failure("socket " + in_quotes(path_));
  connected_ = true;
  return {};
}

result<found_keeper> greeted_keeper::read_hello() {
  auto peer = check_peer();
  if (!peer)
    return peer.why();
  if (auto why = injected(failpoint::hear_hello))
    return *why;
  auto packet = receive_packet(socket(), max_keeper_packet_bytes);
  if (!packet)
    return packet.why();
  if (packet->text.empty())
    return failure{ECONNRESET, "it ended the connection"};
  auto hello = json::parse(packet->text, nullptr, false);
  if (packet->text_cut || !hello.is_object())
    return failure{EBADMSG, "it says " + in_quotes(packet->text) + ", which is no hello"};
  if (packet->fds_lost)
    return failure{EMFILE, "no descriptors are left for what it has"};
  auto known = check_hello(hello, *peer);
  if (!known)
    return known.why();
  auto found = read_vm(hello, packet->fds);
  if (found) {
    found->socket = std::move(socket_);
    found->pidfd = std::move(pidfd_);
  }
  return found;
}

result<pid_t> greeted_keeper::check_peer() {
  ucred peer{};
  socklen_t length = sizeof peer;
  if (::getsockopt(socket(), SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0)
    return last_failure("SO_PEERCRED");
  if (peer.uid != ::geteuid())
    return failure{EPERM, "it belongs to uid " + std::to_string(peer.uid)};
  auto pidfd = open_pidfd(peer.pid);
  if (!pidfd)
    return pidfd.why();
  // While the lock is held it lives, and the number was its own.
  if (!record_.is_held())
    return failure{ESRCH, "it has just ended"};
  pidfd_ = std::move(*pidfd);
  return peer.pid;
}

result<void> greeted_keeper::check_hello(const json& hello, pid_t pid) const {
  std::string type, boot_id;
  std::int64_t version = 0, its_pid = 0;
  vm_cid cid = no_cid;
  if (!read_member(hello, "type", type) || type != "hello"
      || !read_member(hello, "version", version) || !read_member(hello, "boot_id", boot_id)
      || !read_member(hello, "cid", cid) || !read_member(hello, "pid", its_pid))
    return failure{EBADMSG, "its first words are no hello"};
  if (version < oldest_keeper_version || version > keeper_protocol_version)
    return failure{EPROTO, "it speaks version " + std::to_string(version)
                             + " of the protocol; known are "
                             + std::to_string(oldest_keeper_version) + " to "
                             + std::to_string(keeper_protocol_version)};
  if (cid != life_.first)
    return failure{EBADMSG, "it says that it keeps vm " + std::to_string(cid)};
  if (boot_id != boot_id_)
    return failure{EBADMSG, "it says that it is of boot " + in_quotes(boot_id)};
  if (its_pid != pid)
    return failure{EBADMSG, "it says that it is process " + std::to_string(its_pid)
                              + ", and is process " + std::to_string(pid)};
  return {};
}

result<found_keeper> greeted_keeper::read_vm(const json& hello, std::vector<unique_fd>& fds) const {
  if (fds.empty() || fds.size() > 2)
    return failure{EBADMSG, "its hello came without its launch"};
  auto text = read_launch_text(fds[0].get());
  if (!text)
    return text.why();
  auto launch = decode_keeper_launch(*text, false);
  if (!launch)
    return launch.why();
  if (launch->request.cid != life_.first)
    return failure{EBADMSG, "its launch is that of vm " + std::to_string(launch->request.cid)};
  found_keeper found;
  found.which = life_.second;
  found.vm.cid = life_.first;
  found.vm.config = std::move(launch->request.config);
  found.vm.choice = launch->request.choice;
  found.origin = std::move(launch->request.origin);
  found.vm.notes = notes_from_json(hello.value("notes", json::object())).value_or(vm_notes{});
  if (fds.size() == 2)
    found.vm.vsock = std::make_shared<const unique_fd>(std::move(fds[1]));
  return found;
}

} // namespace crosvisor::io
