// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/tests/io/temp_dir.hpp"
#include "crosvisor/tests/service/transport/test_certificates.hpp"
#include "crosvisor/tests/service/transport/tls_door.hpp"

#include <caf/test/dsl.hpp>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>

#undef CAF_SUITE
#define CAF_SUITE service.transport.lost_peers

using namespace crosvisor;
using namespace crosvisor::tests;
using namespace std::chrono_literals;

namespace {

using clock_type = std::chrono::steady_clock;

/// A client in a process of its own.
class child_client {
public:
  child_client(std::uint16_t port, const std::string& dir) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0)
      throw std::runtime_error{"pipe2"};
    input_.reset(ends[1]);
    io::unique_fd theirs{ends[0]};
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, theirs.get(), 0);
    auto number = std::to_string(port);
    auto text = [](const char* word) { return const_cast<char*>(word); };
    char* argv[] = {text(CROSVISOR_TLS_TEST_CLIENT), number.data(), text(dir.c_str()), nullptr};
    auto code = ::posix_spawn(&pid_, CROSVISOR_TLS_TEST_CLIENT, &actions, nullptr, argv, environ);
    ::posix_spawn_file_actions_destroy(&actions);
    if (code != 0)
      throw std::runtime_error{"posix_spawn"};
  }
  child_client(const child_client&) = delete;
  child_client& operator=(const child_client&) = delete;
  ~child_client() {
    signal(SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

  void signal(int number) const { ::kill(pid_, number); }

private:
  pid_t pid_ = -1;
  io::unique_fd input_;
};

/// Passes on bytes between one client and a server until it is told to swallow them, as a network
/// that is gone does: nobody is told.
class cuttable_link {
public:
  explicit cuttable_link(std::uint16_t server) : thread_([this, server] { run(server); }) {}
  ~cuttable_link() {
    stop_ = true;
    thread_.join();
  }

  void cut() { cut_ = true; }

  loopback where;

private:
  void run(std::uint16_t server) {
    io::unique_fd client{::accept(where.socket.get(), nullptr, nullptr)};
    auto service = raw_client(server);
    while (!stop_) {
      pollfd both[] = {{client.get(), POLLIN, 0}, {service.get(), POLLIN, 0}};
      if (::poll(both, 2, 20) > 0)
        for (int i = 0; i < 2; ++i)
          if (both[i].revents != 0 && !pass(both[i].fd, both[1 - i].fd))
            return;
    }
  }

  bool pass(int from, int to) const {
    char bytes[16384];
    auto n = ::recv(from, bytes, sizeof(bytes), 0);
    if (n <= 0)
      return false;
    return cut_ || ::send(to, bytes, static_cast<std::size_t>(n), MSG_NOSIGNAL) == n;
  }

  std::atomic<bool> cut_ = false;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

struct fixture {
  fixture() { write_test_certificates(dir.path(), {}); }

  tls_door::identity_ptr load(const std::string& name) const {
    auto loaded =
      transport::load_tls_identity({dir / (name + ".pem"), dir / (name + ".key"), dir / "ca.pem"});
    if (!loaded)
      CAF_FAIL(loaded.why().what);
    return *loaded;
  }

  static transport::listen_options options() {
    transport::listen_options made;
    made.limits.silence = 3s;
    return made;
  }

  temp_dir dir;
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(lost_peers_tests, fixture)

CAF_TEST(a client that is killed is lost at once) {
  tls_door door{load("server"), options()};
  child_client child{door.port, dir.path()};
  CAF_REQUIRE(door.record->wait_came(1));
  auto start = clock_type::now();
  child.signal(SIGKILL);
  CAF_CHECK(door.record->wait_went(1));
  CAF_CHECK(clock_type::now() - start < 2s);
}

CAF_TEST(a client that is frozen is lost after the silence and not before) {
  tls_door door{load("server"), options()};
  child_client frozen{door.port, dir.path()};
  CAF_REQUIRE(door.record->wait_came(1));
  // One that lives has nothing to say either, and stays.
  child_client idle{door.port, dir.path()};
  CAF_REQUIRE(door.record->wait_came(2));
  auto start = clock_type::now();
  frozen.signal(SIGSTOP);
  CAF_CHECK(door.record->wait_went(1));
  auto took = clock_type::now() - start;
  CAF_CHECK(took > 900ms);
  CAF_CHECK(took < 6s);
  CAF_CHECK_EQUAL(door.peers->connections(), std::size_t{1});
  CAF_CHECK_EQUAL(door.record->gone(), 1);
}

CAF_TEST(both sides notice that the network between them is gone) {
  tls_door door{load("server"), options()};
  cuttable_link link{door.port};
  network_system client;
  auto reached =
    transport::connect_tls(client.system, "localhost", link.where.port, load("client"), patience);
  CAF_REQUIRE(reached);
  caf::scoped_actor watcher{client.system};
  CAF_REQUIRE(watch(watcher, *reached));
  watcher->monitor(*reached);
  CAF_REQUIRE(door.record->wait_came(1));
  auto start = clock_type::now();
  link.cut();
  CAF_CHECK(door.record->wait_went(1));
  auto lost = false;
  watcher->receive([&](const caf::down_msg&) { lost = true; }, caf::after(patience) >> [] {});
  CAF_CHECK(lost);
  CAF_CHECK(clock_type::now() - start < 9s);
}

CAF_TEST_FIXTURE_SCOPE_END()
