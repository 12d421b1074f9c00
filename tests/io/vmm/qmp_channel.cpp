// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/vmm/qmp_channel.hpp"

#include "crosvisor/io/vmm/control_socket.hpp"
#include "crosvisor/io/vmm/qmp_message.hpp"
#include "crosvisor/tests/io/vmm/nth.hpp"

#include <caf/test/dsl.hpp>

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <optional>

#undef CAF_SUITE
#define CAF_SUITE io.vmm.qmp_channel

using namespace crosvisor;
using namespace crosvisor::io;
using namespace crosvisor::tests;
using namespace std::chrono_literals;

namespace {

constexpr auto greeting = "{\"QMP\": {\"version\": {}, \"capabilities\": []}}\r\n";

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != text.npos;
}

// The peer is played by hand, line by line.
struct fixture {
  holdings before;
  std::optional<event_loop> loop{std::in_place, "test-loop"};
  control_endpoint ends = *make_connected_pair();
  std::shared_ptr<vmm_channel> channel;
  mailbox<std::string> events;
  mailbox<std::string> answers;
  mailbox<std::string> concluded;
  std::string unread;

  ~fixture() {
    channel.reset();
    loop.reset();
    ends = {};
    CAF_CHECK_EQUAL(to_string(holdings{}), to_string(before));
  }

  void connect(control_timeouts timeouts = {}) {
    channel = make_qmp_channel(*loop, std::move(ends.ours), 1000,
                               {[this] { events.put("up"); },
                                [this](const std::string& what) { events.put("fault: " + what); }},
                               timeouts);
  }

  void say(const std::string& text) {
    CAF_REQUIRE_EQUAL(::send(ends.vmm.get(), text.data(), text.size(), MSG_NOSIGNAL),
                      static_cast<ssize_t>(text.size()));
  }

  // The next line that the channel sent; empty when it closed or patience ended.
  std::string hear() {
    while (!has(unread, "\n")) {
      pollfd waiting{ends.vmm.get(), POLLIN, 0};
      std::array<char, 4096> chunk{};
      auto ready = ::poll(&waiting, 1, static_cast<int>(patience / 1ms));
      auto n = ready == 1 ? ::read(waiting.fd, chunk.data(), chunk.size()) : 0;
      if (n <= 0)
        return {};
      unread.append(chunk.data(), static_cast<std::size_t>(n));
    }
    auto line = unread.substr(0, unread.find('\n'));
    unread.erase(0, line.size() + 1);
    return line;
  }

  // Hears a request for `command` and answers it.
  void serve(const std::string& command, const std::string& value) {
    auto line = hear();
    CAF_REQUIRE(has(line, "\"execute\":\"" + command + "\""));
    say("{\"return\": " + value + ", \"id\": " + id_of(line) + "}\r\n");
  }

  static std::string id_of(const std::string& line) {
    auto at = line.find("\"id\":") + 5;
    return line.substr(at, line.find_first_of(",}", at) - at);
  }

  void shake_hands() {
    say(greeting);
    serve("qmp_capabilities", "{}");
    serve("cont", "{}");
  }

  void ask(vmm_request what) {
    channel->ask(what, [this](auto done) { answers.put(done ? "done" : done.why().what); });
  }

  void conclude(exit_status status) {
    channel->conclude(status,
                      [this](const vmm_exit& exit) { concluded.put(to_string(exit.reason)); });
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(qmp_channel_tests, fixture)

CAF_TEST(it is up when QEMU says that the guest runs) {
  connect();
  shake_hands();
  CAF_CHECK_EQUAL(nth(events, 0), "up");
}

CAF_TEST(a guest that QEMU does not start is a fault) {
  connect();
  say(greeting);
  serve("qmp_capabilities", "{}");
  say("{\"error\": {\"desc\": \"no\"}, \"id\": " + id_of(hear()) + "}\r\n");
  CAF_CHECK_EQUAL(nth(events, 0), "fault: QEMU can't start the guest: no");
}

CAF_TEST(what the guest does at once is not lost) {
  connect();
  say(greeting);
  serve("qmp_capabilities", "{}");
  hear();
  say("{\"event\": \"SHUTDOWN\", \"data\": {\"reason\": \"guest-reset\"}}\r\n");
  ends.vmm.reset();
  conclude({exit_kind::code, 0});
  CAF_CHECK_EQUAL(nth(concluded, 0), "reboot");
}

CAF_TEST(each request is one command) {
  connect();
  shake_hands();
  const std::pair<vmm_request, const char*> all[]{{vmm_request::power_button, "system_powerdown"},
                                                  {vmm_request::suspend, "stop"},
                                                  {vmm_request::resume, "cont"},
                                                  {vmm_request::quit, "quit"}};
  std::size_t answered = 0;
  for (auto [what, command] : all) {
    ask(what);
    serve(command, "{}");
    CAF_CHECK_EQUAL(nth(answers, answered++), "done");
  }
}

CAF_TEST(requests of before the handshake wait for it) {
  connect();
  ask(vmm_request::quit);
  shake_hands();
  serve("quit", "{}");
  CAF_CHECK_EQUAL(nth(answers, 0), "done");
}

CAF_TEST(answers find their requests in any order) {
  connect();
  shake_hands();
  ask(vmm_request::suspend);
  auto first = id_of(hear());
  channel->ask(vmm_request::resume, [this](auto) { answers.put("second"); });
  auto second = id_of(hear());
  say("{\"return\": {}, \"id\": " + second + "}\n{\"return\": {}, \"id\": 999}\n");
  say("{\"id\": " + first
      + ", \"error\": {\"class\": \"GenericError\", \"desc\": \"not\\u001b now\"}}\n");
  CAF_CHECK_EQUAL(nth(answers, 0), "second");
  CAF_CHECK_EQUAL(nth(answers, 1), "QEMU: not\\x1b now");
}

CAF_TEST(the balloon is counted from the other side) {
  connect();
  shake_hands();
  channel->get_balloon([this](auto got) {
    answers.put(std::to_string(got->size_bytes) + " of " + std::to_string(got->memory_bytes));
  });
  serve("query-balloon", "{\"actual\": 600}");
  CAF_CHECK_EQUAL(nth(answers, 0), "400 of 1000");
  channel->set_balloon(300, [this](auto done) { answers.put(done ? "set" : "refused"); });
  auto line = hear();
  CAF_CHECK(has(line, "\"value\":700"));
  say("{\"return\": {}, \"id\": " + id_of(line) + "}\r\n");
  CAF_CHECK_EQUAL(nth(answers, 1), "set");
  channel->set_balloon(1000, [this](auto done) { answers.put(done.why().what); });
  CAF_CHECK_EQUAL(nth(answers, 2), "balloon: 1000 bytes leave the guest nothing of its 1000");
}

CAF_TEST(a balloon that QEMU does not tell of is an error) {
  connect();
  shake_hands();
  channel->get_balloon([this](auto got) { answers.put(got.why().what); });
  serve("query-balloon", "{}");
  CAF_CHECK(has(nth(answers, 0), "did not say"));
}

CAF_TEST(a QEMU that does not answer is not waited for) {
  connect({50ms, 200ms});
  shake_hands();
  ask(vmm_request::suspend);
  CAF_CHECK_EQUAL(nth(answers, 0), "timed out: QEMU did not answer within 50 ms");
  // Its late answer hurts nobody.
  say("{\"return\": {}, \"id\": " + id_of(hear()) + "}\r\n");
  ask(vmm_request::resume);
  serve("cont", "{}");
  CAF_CHECK_EQUAL(nth(answers, 1), "done");
}

CAF_TEST(a request of a QEMU that never opens its channel is answered and not sent later) {
  connect({50ms, 200ms});
  ask(vmm_request::power_button);
  CAF_CHECK(has(nth(answers, 0), "timed out"));
  shake_hands();
  events.wait(1);
  ask(vmm_request::quit);
  serve("quit", "{}");
}

CAF_TEST(more requests than are allowed are refused at once) {
  connect();
  for (std::size_t i = 0; i <= max_pending_requests; ++i)
    ask(vmm_request::suspend);
  CAF_CHECK_EQUAL(nth(answers, 0), "too many requests wait for QEMU's answer");
}

CAF_TEST(what is no QMP is a fault and ends every request) {
  connect();
  ask(vmm_request::quit);
  say("SSH-2.0-\x1b[2J\n");
  CAF_CHECK_EQUAL(nth(events, 0), "fault: the VMM speaks no QMP: \"SSH-2.0-\\x1b[2J\"");
  CAF_CHECK_EQUAL(nth(answers, 0), "QEMU's control channel spoke no QMP");
  ask(vmm_request::quit);
  CAF_CHECK_EQUAL(nth(answers, 1), "QEMU's control channel is closed");
}

CAF_TEST(a line without end is a fault) {
  connect();
  say(greeting);
  hear();
  for (std::size_t sent = 0; sent <= max_qmp_line_bytes; sent += 1024)
    if (::send(ends.vmm.get(), std::string(1024, 'x').data(), 1024, MSG_NOSIGNAL) < 0)
      break;
  CAF_CHECK(has(nth(events, 0), "fault: the VMM speaks no QMP: \"xxxx"));
}

CAF_TEST(a second greeting is a fault and so is anything before the first) {
  connect();
  say("{\"return\": {}, \"id\": 1}\r\n");
  CAF_CHECK(has(nth(events, 0), "fault"));
}

CAF_TEST(half a greeting is neither up nor a fault) {
  connect({5s, 20ms});
  say("{\"QMP\": {\"ver");
  conclude({exit_kind::code, 1});
  CAF_CHECK_EQUAL(nth(concluded, 0), "start_failed");
  CAF_CHECK_EQUAL(count(events), 0u);
}

CAF_TEST(a channel that closes answers what is pending and is no fault) {
  connect();
  shake_hands();
  ask(vmm_request::suspend);
  hear();
  ends.vmm.reset();
  CAF_CHECK_EQUAL(nth(answers, 0), "QEMU closed its control channel");
  CAF_CHECK_EQUAL(count(events), 1u);
}

CAF_TEST(a stop for an error is a fault and one that was asked for is none) {
  connect();
  shake_hands();
  say("{\"event\": \"STOP\"}\r\n");
  serve("query-status", "{\"status\": \"paused\"}");
  say("{\"event\": \"STOP\"}\r\n");
  serve("query-status", "{\"status\": \"internal-error\"}");
  CAF_CHECK(has(nth(events, 1), "(internal-error)"));
  say("{\"event\": \"STOP\"}\r\n");
  serve("query-status", "{\"status\": \"io-error\"}");
  CAF_CHECK(has(nth(events, 2), "(io-error)"));
}

CAF_TEST(a flood of stops asks no more than one question at a time) {
  connect();
  shake_hands();
  for (auto i = 0; i < 1000; ++i)
    say("{\"event\": \"STOP\"}\r\n");
  serve("query-status", "{\"status\": \"paused\"}");
  serve("query-status", "{\"status\": \"paused\"}");
  ask(vmm_request::resume);
  serve("cont", "{}");
}

CAF_TEST(the end is read from what QEMU said last) {
  connect();
  shake_hands();
  events.wait(1);
  // It is in the socket when the process is reaped, and must not be lost.
  say("{\"event\": \"SHUTDOWN\", \"data\": {\"guest\": true, \"reason\": \"guest-reset\"}}\r\n");
  ends.vmm.reset();
  conclude({exit_kind::code, 0});
  CAF_CHECK_EQUAL(nth(concluded, 0), "reboot");
}

CAF_TEST(the first reason stands and a panic over all) {
  connect();
  shake_hands();
  say("{\"event\": \"GUEST_PANICKED\", \"data\": {\"action\": \"run\"}}\r\n"
      "{\"event\": \"SHUTDOWN\", \"data\": {\"reason\": \"guest-reset\"}}\r\n"
      "{\"event\": \"SHUTDOWN\", \"data\": {\"reason\": \"host-signal\"}}\r\n");
  ends.vmm.reset();
  conclude({exit_kind::code, 0});
  CAF_CHECK_EQUAL(nth(concluded, 0), "crash");
}

CAF_TEST(a channel that stays open after the end is not waited for) {
  connect({5s, 20ms});
  shake_hands();
  events.wait(1);
  ask(vmm_request::suspend);
  conclude({exit_kind::signal, 9});
  CAF_CHECK_EQUAL(nth(concluded, 0), "killed");
  CAF_CHECK_EQUAL(nth(answers, 0), "QEMU has ended");
}

CAF_TEST(after the end nothing is told any more) {
  connect({5s, 20ms});
  shake_hands();
  events.wait(1);
  conclude({exit_kind::code, 0});
  say("nonsense\n");
  CAF_CHECK_EQUAL(nth(concluded, 0), "unknown");
  CAF_CHECK_EQUAL(count(events), 1u);
}

CAF_TEST_FIXTURE_SCOPE_END()
