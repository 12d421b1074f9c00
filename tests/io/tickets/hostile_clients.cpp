// SPDX-License-Identifier: Apache-2.0
// What clients of the descriptor door do that mean no good, beside one that does.
#include "crosvisor/tests/io/tickets/door_fixture.hpp"

#include <sys/epoll.h>

#include <future>

#undef CAF_SUITE
#define CAF_SUITE io.tickets.hostile_clients

using namespace crosvisor;
using namespace crosvisor::io;
using namespace crosvisor::tests;

namespace {

const ticket unknown(ticket_digits, '0');
constexpr auto no_ticket = "no there is no such ticket";

struct fixture : door_fixture {
  fixture() { ::signal(SIGPIPE, SIG_IGN); }

  /// Says that, and is answered with the end; what came along is closed.
  void check_ends(const std::string& text, std::size_t descriptors) {
    auto client = connect();
    pipe_ends pipe;
    CAF_CHECK_EQUAL(ask(client.get(), text, std::vector<int>(descriptors, pipe.writer.get())),
                    "(end)");
    pipe.writer.reset();
    CAF_CHECK(is_let_go(pipe));
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(hostile_clients_tests, fixture)

CAF_TEST(wrong words end the connection) {
  open();
  for (const std::string& words :
       {std::string{"PUT"}, std::string{"hello"}, std::string(64, 'x'), std::string(65, 'x'),
        "put" + std::string(62, '\0'), std::string(100'000, 'p'), "take " + unknown + "0",
        std::string{"take "}, std::string(1, '\0'), "put\ntake " + unknown})
    for (std::size_t count : {0, 1, 32})
      check_ends(words, count);
  CAF_CHECK(serves());
  check_nothing_left();
}

CAF_TEST(an empty packet is an end) {
  open();
  check_ends("", 0);
  check_ends("", 3);
  CAF_CHECK(serves());
  check_nothing_left();
}

CAF_TEST(descriptors where none belong and none where some do end the connection) {
  open();
  check_ends("put", 0);
  check_ends("take " + unknown, 1);
  check_ends("take " + unknown, 32);
  check_ends("take " + unknown, 33);
  CAF_CHECK(serves());
  check_nothing_left();
}

CAF_TEST(too many descriptors end the connection and are all closed) {
  open();
  for (std::size_t count : {33, 34, 35, 64, 253})
    check_ends("put", count);
  check_ends("put" + std::string(100, ' '), 253);
  CAF_CHECK(serves());
  check_nothing_left();
}

CAF_TEST(claimed credentials count for nothing) {
  open();
  auto client = connect();
  pipe_ends pipe;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(ucred)) + CMSG_SPACE(sizeof(int))] = {};
  std::string text = "put";
  iovec part{text.data(), text.size()};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof(control);
  auto* claimed = CMSG_FIRSTHDR(&header);
  claimed->cmsg_level = SOL_SOCKET;
  claimed->cmsg_type = SCM_CREDENTIALS;
  claimed->cmsg_len = CMSG_LEN(sizeof(ucred));
  ucred other{1, ::geteuid() == 0 ? 65'534 : ::geteuid(), ::getegid()};
  if (::geteuid() != 0)
    other.pid = ::getpid(); // Nobody else may claim more.
  std::memcpy(CMSG_DATA(claimed), &other, sizeof(other));
  auto* rights = CMSG_NXTHDR(&header, claimed);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(sizeof(int));
  auto fd = pipe.writer.get();
  std::memcpy(CMSG_DATA(rights), &fd, sizeof(fd));
  CAF_REQUIRE_EQUAL(::sendmsg(client.get(), &header, MSG_NOSIGNAL), 3);
  auto answer = hear(client.get());
  CAF_REQUIRE_EQUAL(answer.size(), 35u);
  CAF_CHECK(left(answer.substr(3)));
}

CAF_TEST(one uid has so many connections and another is served) {
  if (!may_change_uid())
    return;
  open();
  std::vector<unique_fd> idle;
  auto refused = 0, silent = 0;
  for (auto i = 0; i < 500; ++i)
    idle.push_back(connect());
  // Who was refused was told so by the time that the last one is.
  CAF_CHECK_EQUAL(hear(idle.back().get()),
                  "no uid 0 has 64 connections for descriptors, as many as one user may have "
                  "(limits.connections_per_user)");
  idle.pop_back();
  for (auto& each : idle) {
    auto packet = receive_packet(each.get(), max_answer_bytes);
    refused += packet && packet->text.starts_with("no uid 0 has 64 connections") ? 1 : 0;
    silent += !packet && packet.why().code == EAGAIN ? 1 : 0;
  }
  CAF_CHECK_EQUAL(silent, 64);
  CAF_CHECK_EQUAL(refused, 500 - 64 - 1);
  child_of good{65'534, [&] {
                  pipe_ends pipe;
                  auto client = connect();
                  return ask(client.get(), "put", {pipe.writer.get()}).size() == 35 ? 0 : 1;
                }};
  CAF_CHECK_EQUAL(good.result(), 0);
  idle.clear();
  check_nothing_left();
}

CAF_TEST(there is a bound for all) {
  options.connections = 3;
  auto use = options.use = std::make_shared<descriptor_door_use>();
  open();
  std::vector<unique_fd> clients;
  for (auto i = 0; i < 4; ++i)
    clients.push_back(connect());
  CAF_CHECK_EQUAL(
    hear(clients[3].get()),
    "no there are 3 connections for descriptors, as many as there may be (limits.connections)");
  CAF_CHECK_EQUAL(use->connections.load(), 3u);
  CAF_CHECK_EQUAL(use->refused.load(), 1u);
  CAF_CHECK_EQUAL(hear(clients[3].get()), "(end)");
  CAF_CHECK_EQUAL(ask(clients[2].get(), "take " + unknown), no_ticket);
}

CAF_TEST(whoever is silent is ended) {
  options.idle_timeout = std::chrono::milliseconds{100};
  open();
  {
    auto silent = connect();
    CAF_CHECK_EQUAL(hear(silent.get()), "(end)");
    // One that has spoken once, too.
    auto quiet = connect();
    CAF_CHECK_EQUAL(ask(quiet.get(), "take " + unknown), no_ticket);
    CAF_CHECK_EQUAL(hear(quiet.get()), "(end)");
  }
  CAF_CHECK(serves());
  check_nothing_left();
}

CAF_TEST(a client that never reads is ended) {
  open();
  auto client = connect();
  auto asked = 0;
  // Without a bound on unread answers this would go on.
  for (auto ended = false; !ended && asked < 100'000; ++asked) {
    auto sent = send_packet(client.get(), "take " + unknown);
    if (!sent && sent.why().code == EAGAIN)
      CAF_CHECK(happens(client.get(), POLLOUT));
    else
      ended = !sent;
  }
  CAF_CHECK_LESS(asked, 100'000);
  CAF_CHECK(serves());
  client.reset();
  check_nothing_left();
}

CAF_TEST(a client that leaves before its answer is no trouble) {
  open();
  for (auto i = 0; i < 200; ++i) {
    auto client = connect();
    pipe_ends pipe;
    say(client.get(), "put", {pipe.writer.get()});
  }
  CAF_CHECK(serves());
  check_nothing_left();
}

CAF_TEST(a half connection is ended) {
  open();
  {
    auto client = connect();
    ::shutdown(client.get(), SHUT_WR);
    CAF_CHECK_EQUAL(hear(client.get()), "(end)");
    auto deaf = connect();
    ::shutdown(deaf.get(), SHUT_RD);
    say(deaf.get(), "take " + unknown);
    CAF_CHECK_EQUAL(hear(deaf.get()), "(end)");
  }
  CAF_CHECK(serves());
  check_nothing_left();
}

CAF_TEST(who is admitted is asked with the word of the kernel) {
  if (!may_change_uid())
    return;
  options.admits = [](const caller& who) { return who.uid == 0; };
  open();
  child_of other{65'534, [&] {
                   auto client = connect();
                   return hear(client.get()) == "no uid 65534 may not use this service" ? 0 : 1;
                 }};
  CAF_CHECK_EQUAL(other.result(), 0);
  CAF_CHECK(serves());
}

CAF_TEST(descriptors that the service has no room for cost that request alone) {
  open();
  pipe_ends go, ready;
  auto step = [](int fd, char c) { return ::write(fd, &c, 1) == 1; };
  auto next = [](int fd) {
    char c = 0;
    return ::read(fd, &c, 1) == 1;
  };
  child_of client{::geteuid(), [&] {
                    pipe_ends pipe;
                    auto socket = connect();
                    std::vector<int> fds(3, pipe.writer.get());
                    ask(socket.get(), "take " + unknown); // It is accepted.
                    step(ready.writer.get(), 'a');
                    for (auto i = 0; i < 2; ++i) {
                      next(go.reader.get());
                      if (ask(socket.get(), "put", fds) != "no the service has no descriptors left")
                        return 1;
                      step(ready.writer.get(), 'b');
                    }
                    next(go.reader.get());
                    return ask(socket.get(), "put", fds).size() == 2 + 3 * 33 ? 0 : 2;
                  }};
  next(ready.reader.get());
  for (rlim_t room : {0, 2}) {
    descriptor_limit full{room};
    step(go.writer.get(), 'c');
    next(ready.reader.get());
  }
  step(go.writer.get(), 'c');
  CAF_CHECK_EQUAL(client.result(), 0);
  go.reader.reset(), go.writer.reset(), ready.reader.reset(), ready.writer.reset();
  check_nothing_left();
}

CAF_TEST(clients that can not be accepted for want of descriptors wait) {
  open();
  pipe_ends ready;
  std::unique_ptr<descriptor_limit> full = std::make_unique<descriptor_limit>(0);
  child_of client{::geteuid(), [&] {
                    full = nullptr;
                    auto socket = connect();
                    say(socket.get(), "take " + unknown);
                    if (::write(ready.writer.get(), "x", 1) != 1)
                      return 1;
                    return hear(socket.get()) == no_ticket ? 0 : 2;
                  }};
  char c = 0;
  CAF_CHECK_EQUAL(::read(ready.reader.get(), &c, 1), 1);
  full = nullptr;
  CAF_CHECK_EQUAL(client.result(), 0);
}

CAF_TEST(a ticket whose descriptor can not be closed keeps nobody else waiting) {
  open();
  slow_to_close slow;
  {
    auto client = connect();
    CAF_CHECK_EQUAL(ask(client.get(), "put", {slow.own.get()}).substr(0, 3), "ok ");
    slow.own.reset();
  }
  for (auto i = 0; i < 20; ++i)
    CAF_CHECK(serves());
  slow.peer.reset();
  check_nothing_left();
}

CAF_TEST(nothing more is received from who has too much that can not be closed) {
  std::promise<void> gate;
  auto entered = 0;
  options.admits = [&](const caller&) {
    if (++entered == 2)
      gate.get_future().wait_for(patience);
    return true;
  };
  open();
  unique_fd epoll{::epoll_create1(EPOLL_CLOEXEC)};
  slow_to_close slow;
  auto client = connect();
  CAF_CHECK_EQUAL(ask(client.get(), "take " + unknown), no_ticket);
  auto other = connect(); // The door stands still, so that its copy is the last one.
  say(client.get(), "put", {slow.own.get(), epoll.get()});
  slow.own.reset();
  gate.set_value();
  CAF_CHECK_EQUAL(hear(client.get()),
                  "no descriptor 1: is neither a file, a device, a pipe nor a socket");
  auto packets = 0;
  std::string answer, last;
  for (std::vector<int> fds(32, epoll.get()); answer != "(end)" && packets < 10; ++packets) {
    last = answer;
    answer = ask(client.get(), "put", fds);
  }
  CAF_CHECK_EQUAL(last, "no descriptors of " + to_string(self_as_client()) + " can't be closed");
  CAF_CHECK_EQUAL(packets, 4);
  slow.peer.reset();
  client.reset(), other.reset(), epoll.reset();
  check_nothing_left();
}

CAF_TEST_FIXTURE_SCOPE_END()
