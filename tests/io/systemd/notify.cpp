// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/systemd/notify.hpp"

#include "crosvisor/tests/io/in_child.hpp"
#include "crosvisor/tests/io/temp_dir.hpp"

#include <caf/test/dsl.hpp>

#include <sys/socket.h>
#include <sys/un.h>

#include <cstdlib>
#include <functional>
#include <string>

#undef CAF_SUITE
#define CAF_SUITE io.systemd.notify

using namespace crosvisor;
using namespace crosvisor::tests;
using namespace std::chrono_literals;

namespace {

/// A service manager's end.
struct fixture {
  temp_dir dir;
  std::string path = dir / "notify";
  io::unique_fd manager{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};

  fixture() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    auto bound = ::bind(manager.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
    CAF_REQUIRE_EQUAL(bound, 0);
  }

  /// What a process with this NOTIFY_SOCKET returns of `task`.
  static std::string in_service(const std::string& socket,
                                const std::function<std::string()>& task) {
    return said_in_child([&] {
      ::setenv("NOTIFY_SOCKET", socket.c_str(), 1);
      return task();
    });
  }

  /// The next thing that the manager was told; empty where there is none.
  std::string told() const {
    char text[4096];
    auto got = ::recv(manager.get(), text, sizeof text, 0);
    return got > 0 ? std::string{text, static_cast<std::size_t>(got)} : "";
  }
};

std::string interval() {
  auto found = io::watchdog_interval();
  return found ? std::to_string(found->count()) : "none";
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(notify_tests, fixture)

CAF_TEST(the manager is told) {
  auto said = in_service(path, [] {
    io::notify("READY=1");
    io::notify(io::status_state("3 VMs"));
    return std::string{io::is_notified() ? "yes" : "no"};
  });
  CAF_CHECK_EQUAL(said, "yes");
  CAF_CHECK_EQUAL(told(), "READY=1");
  CAF_CHECK_EQUAL(told(), "STATUS=3 VMs");
  CAF_CHECK_EQUAL(told(), "");
}

CAF_TEST(without a manager nothing happens) {
  auto said = in_service("", [] {
    io::notify("READY=1");
    return std::string{io::is_notified() ? "yes" : "no"};
  });
  CAF_CHECK_EQUAL(said, "no");
  CAF_CHECK_EQUAL(told(), "");
}

CAF_TEST(a manager that is gone is no harm) {
  auto said = in_service(dir / "nobody", [] {
    io::notify("READY=1");
    return std::string{"lives"};
  });
  CAF_CHECK_EQUAL(said, "lives");
}

CAF_TEST(a watchdog of this process has its interval) {
  auto said = said_in_child([] {
    auto all = interval();
    ::setenv("WATCHDOG_USEC", "30000000", 1);
    ::setenv("WATCHDOG_PID", std::to_string(::getpid()).c_str(), 1);
    all += ' ' + interval();
    ::setenv("WATCHDOG_PID", "1", 1);
    all += ' ' + interval();
    ::unsetenv("WATCHDOG_PID");
    ::setenv("WATCHDOG_USEC", "soon", 1);
    return all + ' ' + interval();
  });
  CAF_CHECK_EQUAL(said, "none 30000000 none none");
}

CAF_TEST(a reload has its time) {
  auto before = std::chrono::steady_clock::now().time_since_epoch();
  auto state = io::reloading_state();
  std::string begin = "RELOADING=1\nMONOTONIC_USEC=";
  CAF_REQUIRE(state.starts_with(begin));
  auto us = std::chrono::microseconds{std::stoull(state.substr(begin.size()))};
  CAF_CHECK(us >= std::chrono::floor<std::chrono::microseconds>(before));
  CAF_CHECK(us <= before + 1h);
}

CAF_TEST(a status is one line) {
  CAF_CHECK_EQUAL(io::status_state("a\nREADY=0"), "STATUS=a\\x0aREADY=0");
  CAF_CHECK(io::status_state(std::string(100'000, 'x')).size() < 1100u);
}

CAF_TEST_FIXTURE_SCOPE_END()
