// SPDX-License-Identifier: Apache-2.0
// A keeper whose VM has a vsock device: what its guest opens waits for a service.
#include "crosvisor/tests/io/keeper/run_keeper.hpp"

#include <sys/stat.h>

#undef CAF_SUITE
#define CAF_SUITE io.keeper.guest

using namespace crosvisor;
using namespace crosvisor::io;
using namespace crosvisor::tests;

namespace {

struct fixture : run_keeper_fixture {
  played_service start_with_guest() {
    prepare("play=up");
    launch.how.vsock_program = STAND_IN_VSOCK;
    return execute();
  }

  /// Hears of all connections that are kept; what the guest has said on the last one.
  std::string hear_connections(played_service& service) {
    std::string said;
    for (int i = 1; i <= 32; ++i) {
      auto heard = service.hear("connection");
      CAF_REQUIRE_EQUAL(heard.body.value("connection", 0), i);
      CAF_CHECK_EQUAL(heard.body.value("port", 0), 3000);
      CAF_REQUIRE_EQUAL(heard.fds.size(), 1u);
      char text[8] = {};
      ::recv(heard.fds[0].get(), text, sizeof(text) - 1, MSG_PEEK | MSG_DONTWAIT);
      said = text;
    }
    return said;
  }

  /// All of a dead VM's.
  std::string read_output(played_service& service) {
    CAF_CHECK_EQUAL(service.ask({{"type", "finish"}}), "");
    service.say({{"type", "add_reader"}, {"reader", 1}});
    service.say({{"type", "grant"}, {"reader", 1}, {"bytes", 1000}});
    std::string read;
    for (auto last = false; !last;) {
      auto chunk = service.hear("chunk");
      read += chunk.bytes;
      last = chunk.body.value("last", false);
    }
    return read;
  }

  /// Those of the keeper that have effect.
  std::string capabilities() {
    std::ifstream lines{"/proc/" + std::to_string(keeper->pid()) + "/status"};
    for (std::string key, value; lines >> key;)
      if (key == "CapEff:" && lines >> value)
        return value;
    return {};
  }

  /// The keeper's children.
  std::vector<unique_fd> children() {
    std::vector<unique_fd> found;
    auto pid = std::to_string(keeper->pid());
    std::ifstream list{"/proc/" + pid + "/task/" + pid + "/children"};
    for (int child = 0; list >> child;)
      found.push_back(pidfd_of(child));
    return found;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(keeper_guest_tests, fixture)

CAF_TEST(connections of a guest are told until they are taken) {
  auto service = start_with_guest();
  CAF_CHECK_EQUAL(hear_connections(service), "31");
  // The guest's answer comes after all that it has opened, which had no room.
  CAF_CHECK_EQUAL(service.ask({{"type", "connect"}, {"port", 7}, {"bound_ms", 5000}}), "");
  for (int i = 2; i <= 31; ++i)
    service.say({{"type", "let_go"}, {"connection", i}});
  service.say({{"type", "take_output"}, {"connection", 1}});
  service.say({{"type", "take_output"}, {"connection", 1}});
  service.say({{"type", "take_output"}, {"connection", 32}});
  service.leave();
  auto last = connect();
  auto known = last.hear("connection");
  CAF_CHECK_EQUAL(known.body.value("connection", 0), 1);
  CAF_CHECK(known.body.value("read", false));
  CAF_CHECK(known.fds.empty());
  CAF_CHECK(last.types_until("synced").find("connection") == std::string::npos);
  last.say({{"type", "take_output"}, {"connection", 32}});
  last.say({{"type", "signal"}, {"number", SIGKILL}});
  last.hear("exit");
  CAF_CHECK_EQUAL(last.ask({{"type", "finish"}}), "");
  last.say({{"type", "add_reader"}, {"reader", 1}});
  last.say({{"type", "grant"}, {"reader", 1}, {"bytes", 100}});
  CAF_CHECK_EQUAL(last.hear("chunk").bytes, "031");
  CAF_CHECK_EQUAL(last.ask({{"type", "release"}}), "");
  CAF_CHECK_EQUAL(end(), "exit code 0");
  check_nothing_left();
}

CAF_TEST(without a service the keeper reads them itself) {
  auto service = start_with_guest();
  hear_connections(service);
  service.leave();
  auto next = connect();
  auto heard = next.hear("connection");
  CAF_CHECK_EQUAL(heard.body.value("port", 0), 3000);
  CAF_CHECK_EQUAL(heard.body.value("read", false), true);
  CAF_CHECK(heard.fds.empty());
  next.say({{"type", "take_output"}, {"connection", heard.body.value("connection", 0)}});
  next.say({{"type", "signal"}, {"number", SIGKILL}});
  next.hear("exit");
  // As many as the streams have room for: one that is read, and those that wait.
  CAF_CHECK_EQUAL(read_output(next), "012345678910111213141516");
  CAF_CHECK_EQUAL(next.ask({{"type", "release"}}), "");
  CAF_CHECK_EQUAL(end(), "exit code 0");
  check_nothing_left();
}

CAF_TEST(a service connects to the guest) {
  auto service = start_with_guest();
  service.hear("up");
  service.say({{"type", "connect"}, {"id", 77}, {"port", 7}, {"bound_ms", 5000}});
  auto answer = service.hear("answer");
  CAF_CHECK_EQUAL(answer.body.value("id", 0), 77);
  CAF_CHECK_EQUAL(answer.body.value("what", "?"), "");
  CAF_REQUIRE_EQUAL(answer.fds.size(), 1u);
  service.leave();
  CAF_CHECK_EQUAL(read_all(answer.fds[0]), "seven");
  auto next = connect();
  CAF_CHECK_EQUAL(next.ask({{"type", "connect"}, {"port", 8}, {"bound_ms", 5000}}),
                  "port 8: Connection refused");
  release(next);
}

CAF_TEST(a keeper that is killed takes all of its VM with it) {
  auto service = start_with_guest();
  hear_connections(service);
  auto all = children();
  CAF_CHECK_EQUAL(all.size(), 2u);
  keeper->signal(SIGKILL);
  CAF_CHECK_EQUAL(end(), "signal 9");
  for (const auto& child : all)
    CAF_CHECK(ends(child));
}

CAF_TEST(processes of a user of their own are signaled and killed with it) {
  prepare("play=hang");
  if (!confine()) {
    CAF_CHECK(true);
    return;
  }
  auto service = execute();
  auto up = service.hear("up");
  auto vmm = pidfd_of(up.body.value("pid", 0));
  struct stat is {};
  ::stat(("/proc/" + std::to_string(up.body.value("pid", 0))).c_str(), &is);
  CAF_CHECK_EQUAL(is.st_uid, user_of(*launch.confinement.users, cid).uid);
  service.leave();
  auto next = connect();
  next.hear("synced");
  // What it needs no more is gone: CAP_DAC_OVERRIDE, CAP_FOWNER and CAP_KILL are left.
  CAF_CHECK_EQUAL(capabilities(), "000000000000002a");
  keeper->signal(SIGKILL);
  CAF_CHECK_EQUAL(end(), "signal 9");
  CAF_CHECK(ends(vmm));
}

CAF_TEST(what a user of its own had is removed) {
  prepare("play=hang");
  if (!confine()) {
    CAF_CHECK(true);
    return;
  }
  auto service = execute();
  service.hear("up");
  release(service);
  check_nothing_left();
}

CAF_TEST_FIXTURE_SCOPE_END()
