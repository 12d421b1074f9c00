// SPDX-License-Identifier: Apache-2.0
// What a keeper does for its service, and what it takes from nobody.
#include "crosvisor/tests/io/in_child.hpp"
#include "crosvisor/tests/io/keeper/run_keeper.hpp"

#include <sys/stat.h>

#undef CAF_SUITE
#define CAF_SUITE io.keeper.services

using namespace crosvisor;
using namespace crosvisor::io;
using namespace crosvisor::tests;

namespace {

struct fixture : run_keeper_fixture {
  /// A guest's connection with output, given to the keeper; the guest's end.
  unique_fd give_output(played_service& service) {
    connected_pair guest;
    CAF_REQUIRE(service.say({{"type", "take_output"}}, {guest.near->get()}));
    return std::move(guest.far);
  }

  /// What a reader is told until its last chunk.
  std::string read_chunks(played_service& service, int reader) {
    service.say({{"type", "add_reader"}, {"reader", reader}});
    service.say({{"type", "grant"}, {"reader", reader}, {"bytes", 1u << 30}});
    for (std::string all;;) {
      auto chunk = service.hear("chunk");
      if (chunk.body.is_null())
        return all + "(no end)";
      all += chunk.bytes;
      if (chunk.body.value("last", false))
        return all;
    }
  }

  void kill_vm(played_service& service) {
    service.say({{"type", "signal"}, {"number", SIGKILL}});
    CAF_CHECK_EQUAL(service.hear("exit").type(), "exit");
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(keeper_services_tests, fixture)

CAF_TEST(output is read by a reader that comes after the end) {
  auto service = start();
  service.hear("up");
  auto guest = give_output(service);
  CAF_CHECK(say(guest, "seven lines"));
  guest.reset();
  service.leave();
  auto next = connect();
  kill_vm(next);
  CAF_CHECK_EQUAL(next.ask({{"type", "finish"}}), "");
  CAF_CHECK_EQUAL(next.ask({{"type", "finish"}}), "");
  CAF_CHECK_EQUAL(read_chunks(next, 7), "seven lines");
  CAF_CHECK_EQUAL(next.ask({{"type", "release"}}), "");
  CAF_CHECK_EQUAL(end(), "exit code 0");
  check_nothing_left();
}

CAF_TEST(who has a descriptor of the output reads on without a service) {
  auto service = start();
  service.hear("up");
  auto guest = give_output(service);
  connected_pair output;
  CAF_REQUIRE(service.say({{"type", "open_output"}}, {output.near->get()}));
  output.near->reset();
  std::string large(700'000, 'x');
  std::thread writer{[&] {
    say(guest, large);
    guest.reset();
  }};
  CAF_CHECK_EQUAL(read_some(output.far, 1000), large.substr(0, 1000));
  service.leave();
  auto next = connect();
  kill_vm(next);
  CAF_CHECK_EQUAL(next.ask({{"type", "finish"}}), "");
  CAF_CHECK_EQUAL(next.ask({{"type", "release"}}), "");
  next.leave();
  CAF_CHECK_EQUAL(read_all(output.far).size(), large.size() - 1000);
  writer.join();
  CAF_CHECK_EQUAL(end(), "exit code 0");
  check_nothing_left();
}

CAF_TEST(a reader that a service has taken along loses nothing) {
  auto service = start();
  service.hear("up");
  auto guest = give_output(service);
  service.say({{"type", "add_reader"}, {"reader", 1}});
  service.say({{"type", "grant"}, {"reader", 1}, {"bytes", 1u << 30}});
  std::string all;
  for (int i = 0; i < 3'000'000; ++i)
    all += static_cast<char>('a' + i % 23);
  std::thread writer{[&] {
    for (std::size_t at = 0; at < all.size(); at += 1000)
      say(guest, all.substr(at, 1000));
    guest.reset();
  }};
  // What was sent and not read goes with a service.
  std::string read;
  while (read.size() < 500'000)
    read += service.hear("chunk").bytes;
  service.leave();
  auto next = connect();
  next.say({{"type", "add_reader"}, {"reader", 9}});
  next.say({{"type", "grant"}, {"reader", 9}, {"bytes", 1u << 30}});
  while (read.size() < all.size()) {
    auto chunk = next.hear("chunk");
    auto offset = chunk.body.value("offset", std::size_t{0});
    CAF_REQUIRE_LESS_OR_EQUAL(offset, read.size());
    if (offset + chunk.bytes.size() > read.size())
      read += chunk.bytes.substr(read.size() - offset);
  }
  writer.join();
  CAF_CHECK(read == all);
  CAF_CHECK_LESS(status("VmRSS"), 8000 + sanitizer_kib);
  release(next);
}

CAF_TEST(status lines are told again) {
  auto service = start();
  service.hear("up");
  connected_pair guest;
  CAF_REQUIRE(service.say({{"type", "take_status"}}, {guest.near->get()}));
  say(guest.far, "{\"status\":\"started\"}\n{\"status\":\"ready\"}\n"
                 "{\"status\":\"finished\",\"exit_code\":7}\n");
  CAF_CHECK_EQUAL(service.hear("status").body.value("kind", -1), 0);
  service.hear("status");
  CAF_CHECK_EQUAL(service.hear("status").body.value("exit_code", -1), 7);
  say(guest.far, "nonsense\n");
  service.hear("bad_status");
  service.leave();
  auto next = connect();
  CAF_CHECK_EQUAL(next.types_until("synced"),
                  "hello step step step up status status status bad_status synced");
  release(next);
}

CAF_TEST(what no service says ends the connection alone) {
  auto service = start();
  service.hear("up");
  service.leave();
  for (const auto* text :
       {"", "x", "[]", "{}", R"({"type":7})", R"({"type":"ask","id":"x","what":0})",
        R"({"type":"ask","id":1,"what":9})", R"({"type":"signal","number":6})",
        R"({"type":"grant","reader":1})", R"({"type":"note","key":1,"value":""})",
        R"({"type":"add_reader","reader":-1})", R"({"type":"connect","id":1,"port":"x"})"}) {
    auto next = connect();
    CAF_CHECK_EQUAL(next.types_until("synced"), "hello step step step up synced");
    CAF_MESSAGE(text);
    CAF_CHECK(next.say(std::string{text}));
    CAF_CHECK_EQUAL(next.hear().type(), "end");
  }
  auto next = connect();
  next.hear("synced");
  CAF_CHECK(next.say(std::string{R"({"type":"of a later version","x":[]})"}));
  CAF_CHECK(next.say(std::string{R"({"type":"let_go","connection":77})"}));
  CAF_CHECK(next.say(std::string{R"({"type":"remove_reader","reader":77})"}));
  CAF_CHECK_EQUAL(next.ask({{"type", "connect"}, {"port", 1}, {"bound_ms", 1}}),
                  "the VM has no vsock");
  release(next);
}

CAF_TEST(descriptors that nobody asked for are closed) {
  auto service = start();
  service.hear("up");
  auto held = descriptors();
  std::vector<int> many(32, STDIN_FILENO);
  for (int i = 0; i < 20; ++i)
    CAF_CHECK(service.say({{"type", "take_output"}}, many));
  CAF_CHECK_EQUAL(service.ask({{"type", "ask"}, {"what", 3}}), "");
  CAF_CHECK_EQUAL(descriptors(), held);
  release(service);
}

CAF_TEST(a process of another user is sent away) {
  if (::geteuid() != 0) {
    CAF_MESSAGE("not tried: only root has other users' processes");
    CAF_CHECK(true);
    return;
  }
  auto service = start();
  service.hear("up");
  service.leave();
  ::chmod(dir.path().c_str(), 0755);
  ::chmod(socket.c_str(), 0777);
  auto said = said_in_child([this]() -> std::string {
    if (::setgid(65'534) != 0 || ::setuid(65'534) != 0)
      return "no other user";
    return connect().hear().type();
  });
  CAF_CHECK_EQUAL(said, "end");
  auto next = connect();
  CAF_CHECK_EQUAL(next.types_until("synced"), "hello step step step up synced");
  release(next);
}

CAF_TEST_FIXTURE_SCOPE_END()
