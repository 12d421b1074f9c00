// SPDX-License-Identifier: Apache-2.0
// A door behind TLS in this process, and clients of its.
#pragma once

#include "crosvisor/messages/register_types.hpp"
#include "crosvisor/service/transport/transport.hpp"
#include "crosvisor/tests/io/leftovers.hpp"

#include <caf/actor_cast.hpp>
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/scoped_actor.hpp>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace crosvisor::tests {

/// An actor system with a middleman.
struct network_system {
  struct options : caf::actor_system_config {
    options() {
      register_types(*this);
      transport::load_middleman(*this);
      set("scheduler.policy", caf::atom("sharing"));
      set("scheduler.max-threads", std::size_t{1});
    }
  };

  ~network_system() { transport::close_all(system); }

  options config;
  caf::actor_system system{config};
};

/// What a door saw. Any thread.
class door_record {
public:
  void came(std::optional<caller> who) {
    std::lock_guard lock{mutex_};
    last_ = std::move(who);
    ++came_;
    changed_.notify_all();
  }

  void went() {
    std::lock_guard lock{mutex_};
    ++went_;
    changed_.notify_all();
  }

  bool wait_came(int count) { return wait(came_, count); }
  bool wait_went(int count) { return wait(went_, count); }

  int gone() {
    std::lock_guard lock{mutex_};
    return went_;
  }

  std::optional<caller> last() {
    std::lock_guard lock{mutex_};
    return last_;
  }

private:
  bool wait(const int& what, int count) {
    std::unique_lock lock{mutex_};
    return changed_.wait_for(lock, patience, [&] { return what >= count; });
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<caller> last_;
  int came_ = 0;
  int went_ = 0;
};

/// A listening socket of the loopback's, with a port that the kernel chose.
struct loopback {
  explicit loopback(int family = AF_INET, int buffer_bytes = 0)
      : socket(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in six_less{};
    six_less.sin_family = AF_INET;
    six_less.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sockaddr_in6 six{};
    six.sin6_family = AF_INET6;
    six.sin6_addr = in6addr_loopback;
    auto address = family == AF_INET ? reinterpret_cast<sockaddr*>(&six_less)
                                     : reinterpret_cast<sockaddr*>(&six);
    socklen_t size = family == AF_INET ? sizeof(six_less) : sizeof(six);
    if (buffer_bytes > 0)
      for (auto option : {SO_SNDBUF, SO_RCVBUF})
        ::setsockopt(socket.get(), SOL_SOCKET, option, &buffer_bytes, sizeof(buffer_bytes));
    usable = ::bind(socket.get(), address, size) == 0 && ::listen(socket.get(), 512) == 0
             && ::getsockname(socket.get(), address, &size) == 0;
    port = ntohs(family == AF_INET ? six_less.sin_port : six.sin6_port);
  }

  io::unique_fd socket;
  std::uint16_t port = 0;
  bool usable = false;
};

/// A connected socket of a client that speaks no TLS of its own.
inline io::unique_fd raw_client(std::uint16_t port) {
  io::unique_fd made{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  timeval bound{patience.count(), 0};
  ::setsockopt(made.get(), SOL_SOCKET, SO_RCVTIMEO, &bound, sizeof(bound));
  if (::connect(made.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0)
    throw std::runtime_error{"connect"};
  return made;
}

/// Lists `answers` VMs to whoever asks, and watches who watches.
inline caf::behavior recording_door(caf::event_based_actor* self,
                                    std::shared_ptr<door_record> record,
                                    std::shared_ptr<caller_directory> callers,
                                    std::size_t answers) {
  self->set_down_handler([=](caf::down_msg&) { record->went(); });
  return {
    [=](list_atom) {
      vm_info one;
      one.owner.subject = std::string(200, 's');
      return std::vector<vm_info>(answers, one);
    },
    [=](watch_atom, std::uint64_t) {
      self->monitor(self->current_sender());
      record->came(callers->find(self->current_sender()));
      return std::uint64_t{0};
    },
  };
}

/// A system with such a door.
struct tls_door {
  using identity_ptr = std::shared_ptr<const transport::tls_identity>;

  explicit tls_door(identity_ptr own, transport::listen_options options = {},
                    loopback where = loopback{}, std::size_t answers = 3)
      : identity(std::move(own)), port(where.port) {
    auto known = peers;
    auto actor = side.system.spawn(recording_door, record, known, answers);
    door = caf::actor_cast<door_actor>(actor);
    auto done = transport::listen_tls(
      side.system, door, std::move(where.socket), peers,
      [this] {
        std::lock_guard lock{mutex};
        return identity;
      },
      std::move(options));
    if (!done)
      throw std::runtime_error{done.why().what};
  }

  ~tls_door() {
    transport::close_all(side.system);
    caf::anon_send_exit(door, caf::exit_reason::user_shutdown);
  }

  void renew(identity_ptr next) {
    std::lock_guard lock{mutex};
    identity = std::move(next);
  }

  std::mutex mutex;
  identity_ptr identity;
  network_system side;
  std::shared_ptr<door_record> record = std::make_shared<door_record>();
  std::shared_ptr<transport::peers> peers = transport::peers::make(side.system, {});
  door_actor door;
  std::uint16_t port;
};

/// Has a door watch `watcher`, as one that watches it. @returns whether it answered.
inline bool watch(caf::scoped_actor& watcher, const door_actor& door) {
  auto done = false;
  watcher->request(door, patience, watch_atom::value, std::uint64_t{0})
    .receive([&](std::uint64_t) { done = true; }, [](caf::error&) {});
  return done;
}

/// How many VMs a door lists; -1: none came.
inline int list(caf::actor_system& system, const door_actor& door) {
  int count = -1;
  caf::scoped_actor asker{system};
  asker->request(door, patience, list_atom::value)
    .receive([&](std::vector<vm_info>& all) { count = static_cast<int>(all.size()); },
             [](caf::error&) {});
  return count;
}

} // namespace crosvisor::tests
