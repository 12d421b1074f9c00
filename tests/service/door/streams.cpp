// SPDX-License-Identifier: Apache-2.0
// Streams to guests' ports through the door.
#include "crosvisor/tests/service/door/fixture.hpp"

#include <algorithm>

#undef CAF_SUITE
#define CAF_SUITE service.door.streams

using namespace crosvisor;
using namespace crosvisor::tests;
using namespace std::chrono_literals;

namespace {

using number = std::uint64_t;

struct fixture : door_fixture {
  caller alice = user(1000);
  client a = connect(alice);
  client far = connect(subject("CN=far"));
  vm_cid cid = no_cid;
  std::shared_ptr<fake_vmm> vmm;

  fixture() {
    grant(alice, {permission::manage, permission::custom}); // A kernel of one's own.
    grant(far.who, {permission::manage});
    start_vm();
  }

  void start_vm() {
    cid = make_vm(a);
    vmm = run_vm(a, cid);
  }

  std::shared_ptr<outcome<number>> ask_for(const client& by, std::uint32_t port = 5555) {
    return request<number>(by, caf::connect_atom::value, stream_atom::value, cid, port,
                           caf::timespan{1s});
  }

  /// The guest takes the connection.
  void accept() {
    CAF_REQUIRE(!vmm->connects.empty());
    vmm->connects.back().done(std::make_shared<io::unique_fd>(some_fd()));
    settle();
  }

  number open_for(const client& by) {
    auto asked = ask_for(by);
    accept();
    CAF_REQUIRE_EQUAL(refusal(asked), "done");
    return asked->get();
  }

  std::shared_ptr<fake_credited_socket> socket() const { return sockets->made.back().lock(); }

  void write(const client& by, number stream, std::string bytes, bool last = false) {
    tell(by, stream_piece{stream, std::move(bytes), last});
  }
  void grant_bytes(const client& by, number stream, std::uint64_t bytes) {
    tell(by, credit_atom::value, stream_atom::value, stream, bytes);
  }
  void close(const client& by, number stream) {
    tell(by, caf::close_atom::value, stream_atom::value, stream);
  }

  /// What a client was told, and not asked for yet.
  static std::string said(const client& to) {
    std::string text;
    for (const auto& one : std::exchange(to.got->streams, {}))
      text += (text.empty() ? "" : ", ") + one;
    return text;
  }

  std::string limit(const std::string& name) {
    auto root = connect(user(0));
    auto all = request<std::vector<limit_info>>(root, caf::get_atom::value, limits_atom::value);
    for (const auto& one : all->get())
      if (one.name == name)
        return std::to_string(one.used) + '/' + std::to_string(one.limit) + ' '
               + std::to_string(one.refused);
    return "no " + name;
  }
};

constexpr char opened[] = "1 +1048576";
constexpr char bad_piece[] =
  "1 closed: invalid_config: stream: a piece that is too long, more than was granted, nothing, or "
  "comes after the last";

} // namespace

CAF_TEST_FIXTURE_SCOPE(stream_tests, fixture)

CAF_TEST(bytes go both ways and credit with them) {
  auto stream = open_for(a);
  CAF_CHECK_EQUAL(said(a), opened);
  auto guest = socket();
  write(a, stream, "hello ");
  write(a, stream, "guest");
  CAF_CHECK_EQUAL(guest->bytes, "hello guest");
  guest->callbacks.on_written(11);
  grant_bytes(a, stream, 100);
  CAF_CHECK_EQUAL(guest->granted, 100u);
  guest->callbacks.on_piece("hello client", false);
  settle();
  CAF_CHECK_EQUAL(said(a), "1 +11, 1: hello client");
  CAF_CHECK(a.got->from_door);
}

CAF_TEST(each way ends by itself and then the stream) {
  auto stream = open_for(a);
  auto guest = socket();
  write(a, stream, "", true);
  CAF_CHECK(guest->last);
  guest->callbacks.on_piece("still", false);
  guest->callbacks.on_piece("", true);
  guest->callbacks.on_end(false, "");
  settle();
  CAF_CHECK_EQUAL(said(a), std::string{opened} + ", 1: still, 1: last, 1 closed: in order");
  guest.reset();
  CAF_CHECK(!socket());
  CAF_CHECK_EQUAL(limit("streams_per_user"), "0/128 0");
}

CAF_TEST(a client on another host has streams too) {
  auto word = request<ticket>(a, pass_atom::value, cid)->get();
  CAF_REQUIRE_EQUAL(refusal(request<vm_info>(far, pass_atom::value, word)), "done");
  auto stream = open_for(far);
  write(far, stream, "hello");
  CAF_CHECK_EQUAL(socket()->bytes, "hello");
}

CAF_TEST(another s stream is none) {
  auto stream = open_for(a);
  auto guest = socket();
  auto other = connect(alice);
  for (const auto& by : {other, far}) {
    write(by, stream, "x");
    write(by, stream, "", false);
    grant_bytes(by, stream, 1000);
    grant_bytes(by, stream, UINT64_MAX);
    close(by, stream);
    CAF_CHECK_EQUAL(said(by), "");
  }
  CAF_CHECK_EQUAL(guest->bytes, "");
  CAF_CHECK_EQUAL(guest->granted, 0u);
  CAF_CHECK_EQUAL(said(a), opened);
  write(a, stream + 1, "x");
  grant_bytes(a, 0, 1);
  close(a, UINT64_MAX);
  CAF_CHECK_EQUAL(said(a), "");
}

CAF_TEST(a piece against the rules closes its stream alone) {
  auto other = open_for(connect(alice));
  auto kept = socket();
  auto stream = open_for(a);
  CAF_CHECK_EQUAL(stream, other + 1);
  said(a);
  write(a, stream, std::string(max_stream_piece_bytes + 1, 'x'));
  auto told_of = said(a);
  CAF_CHECK_EQUAL(told_of.substr(1), std::string{bad_piece}.substr(1));
  CAF_CHECK(!socket());
  CAF_CHECK(!kept->closed);
  write(a, stream, "x");
  CAF_CHECK_EQUAL(said(a), "");
}

CAF_TEST(more than was granted closes the stream) {
  auto stream = open_for(a);
  said(a);
  std::string piece(max_stream_piece_bytes, 'x');
  for (std::size_t sent = 0; sent + piece.size() <= stream_window_bytes; sent += piece.size())
    write(a, stream, piece);
  CAF_CHECK_EQUAL(said(a), "");
  write(a, stream, piece);
  CAF_CHECK_EQUAL(said(a), bad_piece);
}

CAF_TEST(nothing at all closes the stream) {
  auto stream = open_for(a);
  said(a);
  write(a, stream, "");
  CAF_CHECK_EQUAL(said(a), bad_piece);
}

CAF_TEST(a piece after the last closes the stream) {
  auto stream = open_for(a);
  said(a);
  write(a, stream, "end", true);
  write(a, stream, "more");
  CAF_CHECK_EQUAL(said(a), bad_piece);
}

CAF_TEST(credit beyond the window closes the stream) {
  auto stream = open_for(a);
  said(a);
  grant_bytes(a, stream, stream_window_bytes);
  CAF_CHECK_EQUAL(said(a), "");
  grant_bytes(a, stream, UINT64_MAX);
  CAF_CHECK_EQUAL(said(a), "1 closed: invalid_config: stream: more bytes are granted than 1 MiB");
}

CAF_TEST(a client closes its stream and is told nothing) {
  auto stream = open_for(a);
  said(a);
  close(a, stream);
  CAF_CHECK(!socket());
  CAF_CHECK_EQUAL(said(a), "");
  CAF_CHECK_EQUAL(limit("streams"), "0/1024 0");
}

CAF_TEST(a client that goes leaves nothing) {
  auto gone = connect(alice);
  open_for(gone);
  auto first = sockets->made.back();
  open_for(a);
  end(gone);
  CAF_CHECK(first.expired());
  CAF_CHECK(socket());
  cut(a);
  CAF_CHECK(!socket());
  CAF_CHECK_EQUAL(limit("streams"), "0/1024 0");
}

CAF_TEST(a client that goes while the guest takes its connection leaves nothing) {
  auto gone = connect(alice);
  ask_for(gone);
  end(gone);
  accept();
  CAF_CHECK(!socket());
  CAF_CHECK_EQUAL(limit("streams"), "0/1024 0");
}

CAF_TEST(the end of its vm closes a stream after the guest s last bytes) {
  auto stream = open_for(a);
  auto guest = socket();
  said(a);
  end_vm(vmm);
  CAF_CHECK(guest->finished);
  guest->callbacks.on_piece("last words", false);
  guest->callbacks.on_piece("", true);
  guest->callbacks.on_end(false, "");
  settle();
  auto number_of = std::to_string(stream);
  CAF_CHECK_EQUAL(said(a), number_of + ": last words, " + number_of + ": last, " + number_of
                             + " closed: wrong_state: VM " + std::to_string(cid)
                             + " is dead: shutdown");
}

CAF_TEST(a guest that hangs up is waited for to be found dead) {
  open_for(a);
  auto guest = socket();
  said(a);
  guest->callbacks.on_piece("", true);
  guest->callbacks.on_end(true, "");
  settle();
  CAF_CHECK_EQUAL(said(a), "1: last");
  end_vm(vmm);
  CAF_CHECK_EQUAL(said(a),
                  "1 closed: wrong_state: VM " + std::to_string(cid) + " is dead: shutdown");
}

CAF_TEST(a guest that hangs up and lives has ended in order) {
  open_for(a);
  auto guest = socket();
  said(a);
  guest->callbacks.on_end(true, "");
  settle();
  CAF_CHECK_EQUAL(said(a), "");
  pass(1s);
  CAF_CHECK_EQUAL(said(a), "1 closed: in order");
}

CAF_TEST(a connection that breaks says how) {
  open_for(a);
  auto guest = socket();
  said(a);
  guest->callbacks.on_end(false, "Connection reset by peer");
  settle();
  CAF_CHECK_EQUAL(said(a),
                  "1 closed: io_failed: the connection to the guest: Connection reset by peer");
}

CAF_TEST(who may no longer use a vm loses the stream) {
  for (auto what : {0, 1}) {
    grant(alice, {permission::manage});
    auto stream = open_for(a);
    said(a);
    revoke_all();
    if (what == 0)
      write(a, stream, "x");
    else
      grant_bytes(a, stream, 1);
    CAF_CHECK_EQUAL(said(a), std::to_string(stream) + " closed: denied: uid 1000 lacks \"manage\"");
    CAF_CHECK(!socket());
  }
}

CAF_TEST(who may no longer use low ports loses those streams) {
  auto asked = ask_for(a, 22);
  accept();
  auto stream = asked->get();
  said(a);
  revoke_all();
  grant(alice, {permission::manage});
  write(a, stream, "x");
  CAF_CHECK_EQUAL(said(a), "1 closed: denied: uid 1000 may not connect_stream_privileged any more");
}

CAF_TEST(streams are bounded in all and for one user) {
  options.bounds.streams = 2;
  options.bounds.streams_per_user = 1;
  open();
  start_vm();
  open_for(a);
  CAF_CHECK_EQUAL(refusal(ask_for(a)), "busy: uid 1000 has 1 streams, as many as one user may have "
                                       "(limits.streams_per_user)");
  CAF_CHECK_EQUAL(limit("streams_per_user"), "1/1 1");
  CAF_CHECK_EQUAL(limit("streams"), "1/2 0");
  close(a, 1);
  CAF_CHECK(ask_for(a)->pending());
}

CAF_TEST(what a guest refuses is answered and counts for nothing) {
  auto asked = ask_for(a);
  vmm->connects.back().done(io::failure{ECONNREFUSED, "refused"});
  settle();
  CAF_CHECK(refusal(asked).starts_with("connection_refused"));
  CAF_CHECK_EQUAL(limit("streams"), "0/1024 0");
  sockets->broken = true;
  asked = ask_for(a);
  accept();
  CAF_CHECK_EQUAL(refusal(asked), "io_failed: epoll_ctl: Too many open files");
  CAF_CHECK_EQUAL(limit("streams"), "0/1024 0");
}

CAF_TEST(a service without streams says so) {
  options.streams = nullptr;
  open();
  start_vm();
  CAF_CHECK_EQUAL(refusal(ask_for(a)), "unsupported: this service has no streams to guests' ports");
}

CAF_TEST(nobody else says that a stream is over) {
  auto stream = open_for(a);
  said(a);
  let_send(a, caf::actor_cast<doorkeeper_actor>(door), finished_atom::value, stream_atom::value,
           stream, false, std::string{"forged"});
  settle();
  CAF_CHECK_EQUAL(said(a), "");
  CAF_CHECK(socket());
}

CAF_TEST_FIXTURE_SCOPE_END()
