// SPDX-License-Identifier: Apache-2.0
// A whole door, served over a transport, before VMs that are this test's own; and its clients.
#pragma once

#include "crosvisor/io/listening_socket.hpp"
#include "crosvisor/service/door.hpp"
#include "crosvisor/service/stream_client.hpp"
#include "crosvisor/tests/io/temp_dir.hpp"
#include "crosvisor/tests/service/transport/test_certificates.hpp"
#include "crosvisor/tests/service/transport/tls_door.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <future>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace crosvisor::tests {

/// The guests of a service. Each connection is served by a thread of its own.
class stream_guests {
public:
  ~stream_guests() {
    for (auto& one : threads_)
      one.join();
  }

  /// What a port does with a connection: blocking, shut down by whoever lets go of it.
  std::function<void(std::uint32_t port, io::unique_fd socket)> serve;

  vsock_socket connect(std::uint32_t port) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
      throw std::runtime_error{"socketpair"};
    std::lock_guard lock{mutex_};
    auto theirs = std::make_shared<io::unique_fd>(ends[1]);
    threads_.emplace_back([this, port, theirs] { serve(port, std::move(*theirs)); });
    return std::make_shared<io::unique_fd>(ends[0]);
  }

private:
  std::mutex mutex_;
  std::vector<std::thread> threads_;
};

using die_atom = caf::atom_constant<caf::atom("die")>;

/// A VM that takes connections, and dies when it is told to.
inline caf::behavior stream_vm(caf::event_based_actor* self, stream_guests* guests, vm_info info) {
  self->set_default_handler(caf::drop);
  auto subscriber = std::make_shared<subscriber_actor>();
  return {
    [=](caf::subscribe_atom) {
      *subscriber = caf::actor_cast<subscriber_actor>(self->current_sender());
      return info;
    },
    [=](caf::connect_atom, std::uint32_t port, caf::timespan) { return guests->connect(port); },
    [=](die_atom) {
      vm_event dead;
      dead.cid = info.cid;
      dead.seq = 1;
      dead.kind = vm_event_kind::dead;
      dead.state = vm_state::dead;
      dead.reason = death_reason::crash;
      self->send(*subscriber, dead);
    },
  };
}

/// A service whose VMs are these.
inline caf::behavior stream_service(caf::event_based_actor* self, stream_guests* guests,
                                    std::shared_ptr<std::vector<caf::actor>> vms) {
  self->set_default_handler(caf::drop);
  return {
    [=](create_atom, const vm_config&, const vm_files&,
        const caller& owner) -> caf::result<vm_actor, vm_info> {
      vm_info info;
      info.cid = first_vm_cid + static_cast<vm_cid>(vms->size());
      info.owner = owner;
      vms->push_back(self->spawn(stream_vm, guests, info));
      return {caf::actor_cast<vm_actor>(vms->back()), info};
    },
  };
}

enum class way { unix_socket, tls };

/// The service's host.
struct stream_host {
  temp_dir dir;
  stream_guests guests;
  network_system side;
  std::shared_ptr<transport::peers> peers = transport::peers::make(side.system, {});
  std::shared_ptr<shared_grants> grants = std::make_shared<shared_grants>(permission_grants{});
  std::shared_ptr<std::vector<caf::actor>> vms = std::make_shared<std::vector<caf::actor>>();
  caf::actor service;
  door_actor door;
  std::optional<io::unix_listener> local;
  std::uint16_t port = 0;
  way by;

  explicit stream_host(way which, transport::listen_options how = {}, door_bounds bounds = {})
      : by(which) {
    write_test_certificates(dir.path(), {});
    permission_grants granted;
    for (auto what : {permission::manage, permission::custom})
      granted.of[static_cast<std::size_t>(what)] = {{::geteuid()}, {}, {"CN=client", "CN=other"}};
    grants->set(granted);
    service = side.system.spawn(stream_service, &guests, vms);
    door_options options;
    options.service = caf::actor_cast<service_actor>(service);
    options.callers = peers;
    options.grants = grants;
    options.streams = io::make_credited_sockets();
    options.bounds = bounds;
    door = spawn_door(side.system, options);
    listen(std::move(how));
  }

  ~stream_host() {
    transport::close_all(side.system);
    for (const auto& vm : *vms)
      caf::anon_send_exit(vm, caf::exit_reason::user_shutdown);
    caf::anon_send_exit(service, caf::exit_reason::user_shutdown);
    caf::anon_send_exit(door, caf::exit_reason::user_shutdown);
    door = nullptr;
  }

  std::string path() const { return dir / "door.sock"; }

  std::shared_ptr<const transport::tls_identity> identity(const std::string& name) const {
    auto loaded =
      transport::load_tls_identity({dir / (name + ".pem"), dir / (name + ".key"), dir / "ca.pem"});
    if (!loaded)
      throw std::runtime_error{loaded.why().what};
    return *loaded;
  }

  io::result<door_actor> connect(caf::actor_system& from, const std::string& name = "client",
                                 std::uint16_t through = 0) const {
    if (by == way::unix_socket)
      return transport::connect_unix(from, path(), patience);
    return transport::connect_tls(from, "localhost", through != 0 ? through : port, identity(name),
                                  patience);
  }

  void kill_vm(std::size_t index) const { caf::anon_send(vms->at(index), die_atom::value); }

private:
  void listen(transport::listen_options how) {
    io::result<void> done;
    if (by == way::unix_socket) {
      auto opened = io::unix_listener::open({.path = path(), .gid = {}});
      if (!opened)
        throw std::runtime_error{opened.why().what};
      local.emplace(std::move(*opened));
      done = transport::listen_unix(side.system, door, local->take(), peers, std::move(how));
    } else {
      loopback where;
      port = where.port;
      done = transport::listen_tls(
        side.system, door, std::move(where.socket), peers,
        [own = identity("server")] { return own; }, std::move(how));
    }
    if (!done)
      throw std::runtime_error{done.why().what};
  }
};

/// A stream of a client's, as a socket.
struct client_stream {
  io::unique_fd socket;
  std::future<caf::error> ended;
  std::string refused; ///< Why there is none.

  /// How it ended: `in order`, or a sentence.
  std::string end() {
    if (ended.wait_for(patience) != std::future_status::ready)
      return "not at all";
    auto why = ended.get();
    return why ? sentence_of(why) : "in order";
  }

  bool write(std::string_view bytes) const {
    while (!bytes.empty()) {
      auto n = ::send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0)
        return false;
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
  }

  void end_writing() const { ::shutdown(socket.get(), SHUT_WR); }

  /// So many bytes, or those before the end.
  std::string read(std::size_t most = SIZE_MAX) const { return read_from(socket.get(), most); }

  static std::string read_from(int fd, std::size_t most = SIZE_MAX) {
    std::string all;
    std::vector<char> buffer(65536);
    while (all.size() < most) {
      auto n = ::read(fd, buffer.data(), std::min(buffer.size(), most - all.size()));
      if (n <= 0)
        break;
      all.append(buffer.data(), static_cast<std::size_t>(n));
    }
    return all;
  }
};

/// A client's host, with a VM of its own.
struct stream_peer {
  network_system side;
  std::shared_ptr<io::credited_sockets> sockets = io::make_credited_sockets();
  door_actor door;
  vm_cid cid = no_cid;

  explicit stream_peer(const stream_host& host, const std::string& name = "client",
                       std::uint16_t through = 0) {
    auto reached = host.connect(side.system, name, through);
    if (!reached)
      throw std::runtime_error{reached.why().what};
    door = *reached;
    caf::scoped_actor asker{side.system};
    asker->request(door, patience, create_atom::value, vm_config{}, ticket_list{})
      .receive([&](const vm_info& info) { cid = info.cid; },
               [&](const caf::error& why) { throw std::runtime_error{sentence_of(why)}; });
    asker->request(door, patience, hold_atom::value, cid)
      .receive([](const vm_info&) {}, [](const caf::error&) {});
  }

  /// How many streams its user has.
  std::uint64_t streams() {
    std::uint64_t used = UINT64_MAX;
    caf::scoped_actor asker{side.system};
    asker->request(door, patience, caf::get_atom::value, limits_atom::value)
      .receive(
        [&](const std::vector<limit_info>& all) {
          for (const auto& one : all)
            if (one.name == "streams_per_user")
              used = one.used;
        },
        [](const caf::error&) {});
    return used;
  }

  client_stream open(std::uint32_t port = 7001) {
    auto opened = std::make_shared<std::promise<std::variant<io::unique_fd, caf::error>>>();
    auto ended = std::make_shared<std::promise<caf::error>>();
    client_stream stream{{}, ended->get_future(), ""};
    auto answer = opened->get_future();
    stream_options options;
    options.door = door;
    options.cid = cid;
    options.port = port;
    options.answer_bound = patience;
    options.sockets = sockets;
    options.on_open = [opened](auto what) { opened->set_value(std::move(what)); };
    options.on_end = [ended](const caf::error& why) { ended->set_value(why); };
    open_stream(side.system, std::move(options));
    auto got = answer.get();
    if (auto* socket = std::get_if<io::unique_fd>(&got)) {
      stream.socket = std::move(*socket);
      timeval bound{patience.count(), 0};
      ::setsockopt(stream.socket.get(), SOL_SOCKET, SO_RCVTIMEO, &bound, sizeof(bound));
    } else {
      stream.refused = sentence_of(std::get<caf::error>(got));
    }
    return stream;
  }
};

/// Bytes that are not the same anywhere near.
inline std::string pattern(std::size_t size, std::uint32_t seed = 1) {
  std::string bytes(size, '\0');
  for (auto& byte : bytes) {
    seed = seed * 1664525 + 1013904223;
    byte = static_cast<char>(seed >> 24);
  }
  return bytes;
}

/// A few bytes, which a socket takes at once.
inline void say(const io::unique_fd& socket, std::string_view words) {
  static_cast<void>(::send(socket.get(), words.data(), words.size(), MSG_NOSIGNAL));
}

/// Sends back what comes, and ends as its client does.
inline void echo(const io::unique_fd& socket) {
  std::vector<char> buffer(65536);
  for (ssize_t n; (n = ::read(socket.get(), buffer.data(), buffer.size())) > 0;)
    for (ssize_t sent = 0; sent < n;) {
      auto more = ::send(socket.get(), buffer.data() + sent, static_cast<std::size_t>(n - sent),
                         MSG_NOSIGNAL);
      if (more <= 0)
        return;
      sent += more;
    }
  ::shutdown(socket.get(), SHUT_WR);
}

} // namespace crosvisor::tests
