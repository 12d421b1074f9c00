// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/tickets/descriptor_door.hpp"
#include "crosvisor/service/transport/dialer.hpp"
#include "crosvisor/service/transport/guarded_scribe.hpp"
#include "crosvisor/service/transport/listener.hpp"
#include "crosvisor/service/transport/transport.hpp"
#include "crosvisor/service/transport/unix_peer.hpp"

#include <caf/make_counted.hpp>
#include <caf/policy/tcp.hpp>

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace crosvisor::transport {

namespace {

/// CAF's policy for TCP sends and receives on any stream socket.
using unix_scribe = guarded_scribe<caf::policy::tcp>;

using caf::io::network::default_multiplexer;

caf::intrusive_ptr<guarded_connection>
make_unix_connection(default_multiplexer& loop, io::unique_fd socket, connection_terms terms) {
  auto fd = socket.get();
  auto made = caf::make_counted<unix_scribe>(loop, fd, std::move(terms));
  socket.release();
  return made;
}

/// `uid 1000 (pid 4711): why`
std::string about(const caller& who, const std::string& why) {
  return to_string(who) + " (pid " + std::to_string(who.pid) + "): " + why;
}

/// What is sent before the end can be read after it, which TCP does not promise.
void refuse(const io::unique_fd& client) {
  auto word = bare_basp_header(basp_operation::refusal);
  // Nothing was sent before, so there is room for it.
  ::send(client.get(), word.data(), word.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
}

caf::intrusive_ptr<guarded_connection> receive(listener_terms& terms, default_multiplexer& loop,
                                               io::unique_fd accepted,
                                               std::function<void(const std::string&)> complain) {
  auto who = io::peer_of(accepted.get());
  if (!who) {
    complain(who.why().what);
    return nullptr;
  }
  auto welcome = terms.welcome();
  if (!welcome) {
    complain(about(*who, welcome.why().what));
    refuse(accepted);
    return nullptr;
  }
  auto admitted = terms.admit(*welcome->guard, *welcome->slot, *who, process_ids_of(*who));
  if (!admitted) {
    complain(about(*who, admitted.why().what));
    refuse(accepted);
    return nullptr;
  }
  auto name = *who;
  name.groups.clear();
  welcome->on_end = [complain, name](const std::string& why) { complain(about(name, why)); };
  return make_unix_connection(loop, std::move(accepted), std::move(*welcome));
}

io::result<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path)
      || path.find('\0') != std::string::npos)
    return io::failure{0, "socket \"" + path + "\": a path has 1 to "
                            + std::to_string(sizeof(address.sun_path) - 1) + " bytes"};
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

io::failure refusal(int code, const std::string& path) {
  switch (code) {
    case ENOENT:
    case ECONNREFUSED: return {code, "no crosvisord at " + path + ": " + std::strerror(code)};
    case EACCES:
    case EPERM: return {code, path + ": this user may not connect: " + std::strerror(code)};
    // A full queue, for as long as SO_SNDTIMEO has it.
    case EAGAIN: return {ETIMEDOUT, path + ": does not accept connections"};
    default: return {code, path + ": " + std::strerror(code)};
  }
}

/// A connected socket; blocks for `bound` at most.
io::result<io::unique_fd> dial(const std::string& path, std::chrono::milliseconds bound) {
  auto address = address_of(path);
  if (!address)
    return address.why();
  io::unique_fd socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  if (!socket)
    return io::last_failure("socket");
  timeval time{};
  time.tv_sec = bound.count() / 1000;
  time.tv_usec = (bound.count() % 1000) * 1000;
  if (::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &time, sizeof(time)) != 0)
    return io::last_failure("SO_SNDTIMEO");
  while (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof(*address))
         != 0)
    if (errno != EINTR)
      return refusal(errno, path);
  return socket;
}

} // namespace

io::result<void> listen_unix(caf::actor_system& system, const door_actor& door,
                             io::unique_fd listening, const std::shared_ptr<peers>& known,
                             listen_options options) {
  if (auto kind = expect_family(listening.get(), {AF_UNIX}); !kind)
    return kind;
  options.name = "unix";
  auto terms = std::make_shared<listener_terms>(system, door, *known, std::move(options));
  std::weak_ptr<listener_terms> weak = terms;
  auto complain = [weak](const std::string& why) {
    if (auto there = weak.lock())
      there->complain(why);
  };
  auto& kept = *terms; // The doorman, which calls the factory, keeps it.
  return serve(system, door, std::move(listening), std::move(terms),
               [&kept, complain](default_multiplexer& loop, io::unique_fd accepted) {
                 return receive(kept, loop, std::move(accepted), complain);
               });
}

io::result<door_actor> connect_unix(caf::actor_system& system, const std::string& path,
                                    std::chrono::milliseconds bound) {
  using clock = std::chrono::steady_clock;
  bound = std::max(bound, std::chrono::milliseconds{1});
  auto start = clock::now();
  auto connected = dial(path, bound);
  if (!connected)
    return connected.why();
  auto left = bound - std::chrono::duration_cast<std::chrono::milliseconds>(clock::now() - start);
  return meet(system, std::move(*connected), make_unix_connection, path,
              std::max(left, std::chrono::milliseconds{1}));
}

} // namespace crosvisor::transport
