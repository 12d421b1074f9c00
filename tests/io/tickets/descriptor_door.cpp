// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/tickets/descriptor_door.hpp"

#include "crosvisor/tests/io/tickets/door_fixture.hpp"

#include <sys/epoll.h>

#include <algorithm>

#undef CAF_SUITE
#define CAF_SUITE io.tickets.descriptor_door

using namespace crosvisor;
using namespace crosvisor::io;
using namespace crosvisor::tests;

namespace {

struct fixture : door_fixture {
  pipe_ends pipe;

  /// A descriptor that the service leaves for `who`.
  ticket leave(const caller& who) {
    unique_fd copy{::fcntl(pipe.writer.get(), F_DUPFD_CLOEXEC, 3)};
    auto of = tickets->put(std::move(copy), who, ticket_store::direction::to_client);
    CAF_REQUIRE(of);
    return *of;
  }

  /// A client's whole try, in another process: 0 when it got the descriptor, 1 when it was refused.
  int take_elsewhere(uid_t uid, const ticket& of) {
    return child_of{uid,
                    [&] {
                      auto answer = ask(connect().get(), take_request(of));
                      return answer == "ok" ? 0 : answer == "no there is no such ticket" ? 1 : 2;
                    }}
      .result();
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(descriptor_door_tests, fixture)

CAF_TEST(put keeps descriptors and take passes them) {
  open();
  auto client = connect();
  auto answer = ask(client.get(), "put", {pipe.reader.get(), pipe.writer.get()});
  CAF_REQUIRE_EQUAL(answer.size(), 2 + 2 * std::size_t{33});
  auto first = left(answer.substr(3, 32)), second = left(answer.substr(36));
  CAF_CHECK_EQUAL(::fcntl(first.get(), F_GETFL) & O_ACCMODE, O_RDONLY);
  CAF_CHECK_EQUAL(::fcntl(second.get(), F_GETFL) & O_ACCMODE, O_WRONLY);
  CAF_CHECK_EQUAL(::fcntl(first.get(), F_GETFD), FD_CLOEXEC);
  say(client.get(), take_request(leave(self_as_client())));
  CAF_REQUIRE(happens(client.get(), POLLIN));
  auto packet = receive_packet(client.get(), max_answer_bytes);
  CAF_REQUIRE(packet);
  CAF_CHECK_EQUAL(packet->text, "ok");
  CAF_REQUIRE_EQUAL(packet->fds.size(), 1u);
  CAF_CHECK(is_same_file(packet->fds[0].get(), pipe.writer.get()));
}

CAF_TEST(a client is who the kernel says) {
  if (!may_change_uid())
    return;
  auto listening = listen_at(path);
  child_of client{65'534, [&] {
                    auto socket = connect();
                    return hear(socket.get()) == "known" ? 0 : 1;
                  }};
  CAF_REQUIRE(happens(listening.get(), POLLIN));
  unique_fd accepted{::accept4(listening.get(), nullptr, nullptr, SOCK_CLOEXEC)};
  auto peer = peer_of(accepted.get());
  CAF_REQUIRE(peer);
  CAF_CHECK(peer->kind == caller_kind::socket);
  CAF_CHECK_EQUAL(peer->uid, 65'534u);
  CAF_CHECK_EQUAL(peer->gid, 65'534u);
  CAF_CHECK_EQUAL(peer->pid, client.pid());
  CAF_CHECK(peer->groups.empty());
  CAF_CHECK_EQUAL(peer->label.find('\0'), std::string::npos);
  say(accepted.get(), "known");
  CAF_CHECK_EQUAL(client.result(), 0);
}

CAF_TEST(a client has all its groups) {
  if (!may_change_uid())
    return;
  auto listening = listen_at(path);
  child_of client{0, [&] {
                    std::vector<gid_t> groups;
                    for (gid_t gid = 5000; gid < 6000; ++gid)
                      groups.push_back(gid);
                    if (::setgroups(groups.size(), groups.data()) != 0)
                      return 1;
                    auto socket = connect();
                    return hear(socket.get()) == "known" ? 0 : 1;
                  }};
  CAF_REQUIRE(happens(listening.get(), POLLIN));
  unique_fd accepted{::accept4(listening.get(), nullptr, nullptr, SOCK_CLOEXEC)};
  auto peer = peer_of(accepted.get());
  CAF_REQUIRE(peer);
  CAF_REQUIRE_EQUAL(peer->groups.size(), 1000u);
  CAF_CHECK_EQUAL(peer->groups.front(), 5000u);
  CAF_CHECK_EQUAL(peer->groups.back(), 5999u);
  say(accepted.get(), "known");
  CAF_CHECK_EQUAL(client.result(), 0);
}

CAF_TEST(what is no socket has no peer) {
  auto peer = peer_of(pipe.reader.get());
  CAF_REQUIRE(!peer);
  CAF_CHECK_EQUAL(peer.why().code, ENOTSOCK);
}

CAF_TEST(a ticket is of no use to others) {
  open();
  auto of = leave(self_as_client());
  CAF_CHECK_EQUAL(take_elsewhere(::geteuid(), of), 1); // The same user's other process.
  if (may_change_uid())
    CAF_CHECK_EQUAL(take_elsewhere(65'534, of), 1);
  auto client = connect();
  CAF_CHECK_EQUAL(ask(client.get(), take_request(of)), "ok");
  CAF_CHECK_EQUAL(ask(client.get(), take_request(of)), "no there is no such ticket");
}

CAF_TEST(what a client left is not for clients to take) {
  open();
  auto client = connect();
  auto answer = ask(client.get(), "put", {pipe.writer.get()});
  CAF_CHECK_EQUAL(ask(client.get(), take_request(answer.substr(3))), "no there is no such ticket");
  CAF_CHECK(left(answer.substr(3)));
}

CAF_TEST(a ticket of another user is bound to him) {
  if (!may_change_uid())
    return;
  open();
  pipe_ends told;
  child_of client{65'534, [&] {
                    auto socket = connect();
                    auto answer = ask(socket.get(), "put", {pipe.writer.get()});
                    if (::write(told.writer.get(), answer.data(), answer.size()) < 0)
                      return 1;
                    return hear(socket.get()) == "(end)" ? 0 : 2;
                  }};
  std::string answer(100, '\0');
  auto got = ::read(told.reader.get(), answer.data(), answer.size());
  CAF_REQUIRE_EQUAL(got, 35);
  answer.resize(35);
  CAF_CHECK(!left(answer.substr(3)));
  auto him = self_as_client();
  him.uid = 65'534;
  him.pid = client.pid();
  CAF_CHECK(left(answer.substr(3), him));
  door = nullptr;
  CAF_CHECK_EQUAL(client.result(), 0);
}

CAF_TEST(tickets that are too old are closed without anybody asking) {
  tickets = ticket_store::make({std::chrono::milliseconds{20}, 10, 10});
  open();
  auto client = connect();
  CAF_CHECK_EQUAL(ask(client.get(), "put", {pipe.writer.get()}).substr(0, 3), "ok ");
  pipe.writer.reset();
  CAF_CHECK(is_let_go(pipe));
}

CAF_TEST(what a process left goes with its last connection) {
  options.connections_per_uid = 2;
  open();
  auto first = connect();
  auto second = connect();
  auto answer = ask(first.get(), "put", {pipe.writer.get()});
  pipe.writer.reset();
  CAF_CHECK_EQUAL(ask(second.get(), take_request(ticket(32, '0'))), "no there is no such ticket");
  first.reset();
  // Once there is room for another one, the door knows that the first has gone.
  unique_fd third;
  auto until = std::chrono::steady_clock::now() + patience;
  std::string told;
  do {
    third = connect();
    told = ask(third.get(), take_request(ticket(32, '0')));
  } while (told != "no there is no such ticket" && std::chrono::steady_clock::now() < until);
  CAF_CHECK_EQUAL(told, "no there is no such ticket");
  CAF_CHECK_EQUAL(tickets->size(), 1u);
  second.reset();
  third.reset();
  CAF_CHECK(is_let_go(pipe));
  CAF_CHECK_EQUAL(tickets->size(), 0u);
  CAF_CHECK(!left(answer.substr(3)));
}

CAF_TEST(of a packet all or none is kept) {
  tickets = ticket_store::make({std::chrono::seconds{30}, 3, 100});
  open();
  auto client = connect();
  auto fd = pipe.writer.get();
  CAF_CHECK_EQUAL(ask(client.get(), "put", {fd, fd}).substr(0, 3), "ok ");
  CAF_CHECK_EQUAL(ask(client.get(), "put", {fd, fd}),
                  "no " + to_string(self_as_client())
                    + " has 3 descriptors that wait, as many as one user may have "
                      "(limits.tickets_per_user)");
  CAF_CHECK_EQUAL(tickets->size(), 2u);
}

CAF_TEST(an unfit descriptor is named by its place) {
  open();
  auto client = connect();
  unique_fd epoll{::epoll_create1(EPOLL_CLOEXEC)};
  unique_fd path_only{::open("/etc/passwd", O_PATH | O_CLOEXEC)};
  auto fd = pipe.writer.get();
  CAF_CHECK_EQUAL(ask(client.get(), "put", {fd, epoll.get()}),
                  "no descriptor 1: is neither a file, a device, a pipe nor a socket");
  CAF_CHECK_EQUAL(ask(client.get(), "put", {path_only.get(), fd}),
                  "no descriptor 0: only names a file (O_PATH), and is not open");
  CAF_CHECK_EQUAL(tickets->size(), 0u);
  CAF_CHECK_EQUAL(ask(client.get(), "put", {fd}).substr(0, 3), "ok ");
}

CAF_TEST(the end of the door ends every connection and leaves nothing) {
  open();
  {
    auto first = connect(), second = connect();
    ask(first.get(), "put", std::vector<int>(32, pipe.writer.get()));
    ask(second.get(), "put", {pipe.writer.get()});
    door = nullptr;
    CAF_CHECK_EQUAL(hear(first.get()), "(end)");
    CAF_CHECK_EQUAL(hear(second.get()), "(end)");
    CAF_CHECK_EQUAL(tickets->size(), 0u);
  }
  pipe.reader.reset();
  pipe.writer.reset();
  check_nothing_left();
}

CAF_TEST(what is no listening socket of that kind is refused) {
  options.tickets = tickets;
  auto refused = [&](unique_fd fd) {
    auto opened = descriptor_door::open(std::move(fd), options);
    CAF_REQUIRE(!opened);
    return opened.why().what;
  };
  constexpr auto why = "descriptor socket: is not a listening AF_UNIX socket of SOCK_SEQPACKET";
  CAF_CHECK_EQUAL(refused({}), why);
  CAF_CHECK_EQUAL(refused(unique_fd{::socket(AF_UNIX, SOCK_SEQPACKET, 0)}), why);
  CAF_CHECK_EQUAL(refused(unique_fd{::socket(AF_UNIX, SOCK_STREAM, 0)}), why);
  CAF_CHECK_EQUAL(refused(unique_fd{::open("/dev/null", O_RDWR | O_CLOEXEC)}), why);
  options.tickets = nullptr;
  CAF_CHECK_EQUAL(refused(listen_at(path)), "descriptor socket: has no place for descriptors");
}

CAF_TEST(a socket that asks for credentials gets no descriptor with them) {
  auto listening = listen_at(path);
  int on = 1;
  constexpr auto pass_pidfd = 76; // SO_PASSPIDFD, since Linux 6.5
  CAF_REQUIRE_EQUAL(::setsockopt(listening.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)), 0);
  if (::setsockopt(listening.get(), SOL_SOCKET, pass_pidfd, &on, sizeof(on)) != 0)
    CAF_MESSAGE("skipped: this kernel has no SO_PASSPIDFD");
  options.tickets = tickets;
  auto opened = descriptor_door::open(std::move(listening), options);
  CAF_REQUIRE(opened);
  auto client = connect();
  CAF_CHECK_EQUAL(ask(client.get(), "put", {pipe.writer.get()}).substr(0, 3), "ok ");
  auto held = open_descriptors().size();
  for (auto i = 0; i < 10; ++i)
    ask(client.get(), take_request(ticket(32, '0')));
  CAF_CHECK_EQUAL(open_descriptors().size(), held);
}

CAF_TEST_FIXTURE_SCOPE_END()
