// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/stream/credited_socket.hpp"

#include "crosvisor/messages/stream_piece.hpp"
#include "crosvisor/tests/io/leftovers.hpp"

#include <caf/test/dsl.hpp>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <functional>
#include <future>
#include <mutex>
#include <optional>

#undef CAF_SUITE
#define CAF_SUITE io.stream.credited_socket

using namespace crosvisor;
using namespace crosvisor::tests;
using namespace std::chrono_literals;

namespace {

/// What was told; any thread.
struct told {
  std::mutex mutex;
  std::condition_variable changed;
  std::string bytes;
  std::size_t longest = 0;
  int lasts = 0;
  std::uint64_t written = 0;
  std::optional<std::string> ended; ///< `hung up: why`

  io::credited_socket_callbacks callbacks() {
    auto note = [this](auto what) {
      std::lock_guard lock{mutex};
      what();
      changed.notify_all();
    };
    return {[=, this](const std::string& more, bool last) {
              note([&] {
                bytes += more;
                longest = std::max(longest, more.size());
                lasts += last ? 1 : 0;
              });
            },
            [=, this](std::uint64_t count) { note([&] { written += count; }); },
            [=, this](bool hung_up, const std::string& why) {
              note([&] { ended = (hung_up ? "hung up: " : "") + why; });
            }};
  }

  bool wait(const std::function<bool()>& what) {
    std::unique_lock lock{mutex};
    return changed.wait_for(lock, patience, what);
  }
  bool wait_bytes(std::size_t count) {
    return wait([&] { return bytes.size() >= count; });
  }
  bool is_over() {
    std::lock_guard lock{mutex};
    return ended.has_value();
  }
  bool wait_ended() {
    return wait([&] { return ended.has_value(); });
  }
};

struct fixture {
  told got;
  std::shared_ptr<io::credited_sockets> all = io::make_credited_sockets(50ms);
  std::shared_ptr<io::outflow> flow;
  io::unique_fd other;
  std::shared_ptr<io::credited_socket> socket;

  fixture() { open(); }
  ~fixture() { all.reset(); }

  void open() {
    int ends[2];
    CAF_REQUIRE_EQUAL(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    other.reset(ends[1]);
    timeval bound{patience.count(), 0};
    ::setsockopt(other.get(), SOL_SOCKET, SO_RCVTIMEO, &bound, sizeof(bound));
    auto made = all->make(io::unique_fd{ends[0]}, got.callbacks(), flow);
    CAF_REQUIRE(made);
    socket = *made;
  }

  void write(const std::string& bytes) {
    CAF_REQUIRE_EQUAL(::write(other.get(), bytes.data(), bytes.size()),
                      static_cast<ssize_t>(bytes.size()));
  }

  /// So many bytes, or all until the end of the file.
  std::string read(std::size_t most = SIZE_MAX) {
    std::string all_of_it;
    char buffer[65536];
    while (all_of_it.size() < most) {
      auto n = ::read(other.get(), buffer, std::min(sizeof(buffer), most - all_of_it.size()));
      if (n <= 0)
        break;
      all_of_it.append(buffer, static_cast<std::size_t>(n));
    }
    return all_of_it;
  }

  /// Whether the other end has nothing of ours any more.
  bool is_closed() {
    pollfd one{other.get(), 0, 0};
    return ::poll(&one, 1, static_cast<int>(std::chrono::milliseconds{patience}.count())) == 1;
  }
};

const std::string piece(max_stream_piece_bytes, 'x');

} // namespace

CAF_TEST_FIXTURE_SCOPE(credited_socket_tests, fixture)

CAF_TEST(nothing is read before it is granted and never more than that) {
  write("hello world");
  CAF_CHECK(socket->grant(5));
  CAF_REQUIRE(got.wait_bytes(5));
  CAF_CHECK(socket->put("x", false));
  CAF_CHECK_EQUAL(read(1), "x"); // The thread has been there since.
  CAF_CHECK_EQUAL(got.bytes, "hello");
  CAF_CHECK(socket->grant(100));
  CAF_REQUIRE(got.wait_bytes(11));
  CAF_CHECK_EQUAL(got.bytes, "hello world");
}

CAF_TEST(no piece is longer than it may be) {
  CAF_CHECK(socket->grant(stream_window_bytes));
  std::string much(150'000, 'y');
  write(much);
  CAF_REQUIRE(got.wait_bytes(much.size()));
  CAF_CHECK(got.bytes == much);
  CAF_CHECK(got.longest <= max_stream_piece_bytes);
}

CAF_TEST(more credit than the window is refused and costs nothing) {
  CAF_CHECK(socket->grant(stream_window_bytes));
  CAF_CHECK(!socket->grant(1));
  CAF_CHECK(!socket->grant(UINT64_MAX));
  write("abc");
  CAF_REQUIRE(got.wait_bytes(3));
  CAF_CHECK(socket->grant(3));
  CAF_CHECK(!socket->grant(1));
}

CAF_TEST(pieces against the rules are refused) {
  CAF_CHECK(!socket->put(piece + 'x', false));
  CAF_CHECK(!socket->put("", false));
  std::size_t taken = 0;
  // Nobody reads at the other end.
  while (socket->put(piece, false))
    taken += piece.size();
  CAF_CHECK(taken >= stream_window_bytes - piece.size());
  // What a socket takes is written, and may be put again.
  CAF_CHECK(got.wait([&] { return taken <= stream_window_bytes + got.written; }));
}

CAF_TEST(all that is put comes and credit for it comes back) {
  auto reader = std::async(std::launch::async, [&] { return read(); });
  std::string sent;
  for (int i = 0; i < 40; ++i) {
    std::string next(50'000, static_cast<char>('a' + i % 26));
    sent += next;
    auto put = got.wait([&] { return socket->put(next, i == 39); });
    CAF_REQUIRE(put);
  }
  CAF_CHECK(reader.get() == sent);
  // Of the last eighth of a window nobody is told.
  CAF_CHECK(got.wait([&] { return got.written > 40 * 50'000 - stream_window_bytes / 8; }));
}

CAF_TEST(nothing follows the last piece) {
  CAF_CHECK(socket->put("end", true));
  CAF_CHECK(!socket->put("more", false));
  CAF_CHECK(!socket->put("", true));
  CAF_CHECK_EQUAL(read(), "end");
}

CAF_TEST(each way ends by itself) {
  CAF_CHECK(socket->grant(100));
  CAF_CHECK(socket->put("question", true));
  CAF_CHECK_EQUAL(read(), "question");
  write("answer");
  CAF_REQUIRE(got.wait_bytes(6));
  CAF_CHECK(!got.is_over());
  ::shutdown(other.get(), SHUT_WR);
  CAF_REQUIRE(got.wait_ended());
  CAF_CHECK_EQUAL(*got.ended, "");
  CAF_CHECK_EQUAL(got.lasts, 1);
  CAF_CHECK(is_closed());
}

CAF_TEST(the other way round as well) {
  CAF_CHECK(socket->grant(100));
  ::shutdown(other.get(), SHUT_WR);
  CAF_REQUIRE(got.wait([&] { return got.lasts == 1; }));
  CAF_CHECK(!got.is_over());
  CAF_CHECK(socket->put("answer", true));
  CAF_CHECK_EQUAL(read(), "answer");
  CAF_REQUIRE(got.wait_ended());
  CAF_CHECK_EQUAL(*got.ended, "");
}

CAF_TEST(an end that goes is told though nobody writes) {
  CAF_CHECK(socket->grant(100));
  write("bye");
  other.reset();
  CAF_REQUIRE(got.wait_ended());
  CAF_CHECK_EQUAL(got.bytes, "bye");
  CAF_CHECK_EQUAL(got.lasts, 1);
  CAF_CHECK_EQUAL(*got.ended, "hung up: ");
}

CAF_TEST(an end is not told before all of it was granted) {
  write("0123456789");
  CAF_CHECK(socket->grant(4));
  other.reset();
  CAF_REQUIRE(got.wait_bytes(4));
  CAF_CHECK_EQUAL(got.lasts, 0);
  CAF_CHECK(socket->grant(100));
  CAF_REQUIRE(got.wait_ended());
  CAF_CHECK_EQUAL(got.bytes, "0123456789");
}

CAF_TEST(what was put is still written when it ends) {
  std::string sent;
  while (socket->put(piece, false))
    sent += piece;
  socket->end();
  CAF_CHECK(read() == sent);
  CAF_REQUIRE(got.wait_ended());
  CAF_CHECK(is_closed());
}

CAF_TEST(who is gone is read to the end of what they wrote) {
  write("last words");
  CAF_CHECK(socket->grant(4));
  CAF_REQUIRE(got.wait_bytes(4));
  socket->finish();
  CAF_CHECK(socket->grant(100));
  CAF_REQUIRE(got.wait_ended());
  CAF_CHECK_EQUAL(got.bytes, "last words");
}

CAF_TEST(who is gone is not waited for) {
  write("last words");
  CAF_CHECK(socket->grant(100));
  socket->finish();
  CAF_REQUIRE(got.wait_ended());
  CAF_CHECK_EQUAL(got.bytes, "last words");
  CAF_CHECK_EQUAL(got.lasts, 1);
  CAF_CHECK(is_closed());
}

CAF_TEST(a close is at once and told) {
  while (socket->put(piece, false)) {
  }
  socket->close();
  CAF_REQUIRE(got.wait_ended());
  CAF_CHECK(is_closed());
}

CAF_TEST(who lets go of it hears nothing more) {
  CAF_CHECK(socket->grant(100));
  socket.reset();
  CAF_CHECK(is_closed());
  all.reset();
  CAF_CHECK(!got.is_over());
}

CAF_TEST(a peer that is slow is not read for) {
  flow = std::make_shared<io::outflow>();
  open();
  CAF_CHECK(socket->grant(stream_window_bytes));
  std::string much(200'000, 'a');
  write(much);
  CAF_REQUIRE(got.wait_bytes(much.size()));
  write(much);
  // Nothing of it was written to the peer's connection: no more than the mark and one piece.
  CAF_REQUIRE(got.wait_bytes(io::outflow::high_water_bytes));
  CAF_CHECK(flow->bytes() < io::outflow::high_water_bytes + max_stream_piece_bytes);
  flow->set_unwritten(0, flow->bytes());
  CAF_REQUIRE(got.wait_bytes(2 * much.size()));
}

CAF_TEST(one within this process has two ends) {
  auto local = all->make_local(got.callbacks());
  CAF_REQUIRE(local);
  CAF_CHECK(local->socket->put("hello", true));
  other = std::move(local->other_end);
  CAF_CHECK_EQUAL(read(), "hello");
  CAF_CHECK_EQUAL(::fcntl(other.get(), F_GETFL) & O_NONBLOCK, 0);
}

CAF_TEST_FIXTURE_SCOPE_END()
