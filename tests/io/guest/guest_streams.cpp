// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/guest/linux_guest_streams.hpp"

#include "crosvisor/io/guest/payload_output.hpp"
#include "crosvisor/io/guest/status_channel.hpp"
#include "crosvisor/tests/io/guest/sockets.hpp"

#include <caf/test/dsl.hpp>

#include <future>

#undef CAF_SUITE
#define CAF_SUITE io.guest.guest_streams

using namespace crosvisor;
using namespace crosvisor::io;
using namespace crosvisor::tests;

namespace {

std::string pattern(std::size_t count) {
  std::string text(count, '\0');
  for (std::size_t i = 0; i < count; ++i)
    text[i] = static_cast<char>(i * 2654435761u >> 13);
  return text;
}

struct fixture {
  holdings before;
  std::shared_ptr<event_loop> loop = make_shared_loop("test-guest");
  mailbox<payload_status> statuses;
  mailbox<std::string> complaints;
  mailbox<output_chunk> chunks;
  mailbox<bool> finished;
  std::shared_ptr<guest_streams> streams = make();

  std::shared_ptr<guest_streams> make() {
    guest_stream_options options;
    options.kept_output_bytes = 64 << 10;
    options.finish_bound = std::chrono::milliseconds{300};
    return make_linux_guest_streams(loop, options)
      ->make_streams({[this](payload_status s) { statuses.put(std::move(s)); },
                      [this](std::string what) { complaints.put(std::move(what)); }});
  }

  void finish() {
    streams->finish([this] { finished.put(true); });
    CAF_REQUIRE_EQUAL(finished.wait(1).size(), 1u);
  }

  unique_fd open() {
    auto reader = streams->open_output();
    CAF_REQUIRE(reader);
    return std::move(*reader);
  }

  std::string complaint() { return complaints.wait(1).back(); }

  void check_nothing_left() {
    streams = nullptr;
    loop = nullptr;
    CAF_CHECK_EQUAL(to_string(holdings{}), to_string(before));
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(guest_streams_tests, fixture)

CAF_TEST(output reaches a reader whole and then ends) {
  auto reader = open();
  connected_pair guest;
  streams->take_output(guest.near);
  auto sent = pattern(1 << 20);
  auto said = std::async(std::launch::async, [&] { return say(guest.far, sent); });
  auto got = read_some(reader, sent.size());
  CAF_CHECK(said.get());
  guest.far.reset();
  CAF_CHECK(got == sent);
  finish();
  CAF_CHECK_EQUAL(read_all(reader), "");
  reader.reset();
  guest.near.reset();
  check_nothing_left();
}

CAF_TEST(what came before the first reader is kept up to the bound) {
  connected_pair guest;
  streams->take_output(guest.near);
  auto sent = pattern(200'000);
  CAF_CHECK(say(guest.far, sent));
  guest.far.reset();
  finish();
  auto got = read_all(open());
  CAF_CHECK_EQUAL(got.size(), 64u << 10);
  CAF_CHECK(got == sent.substr(sent.size() - got.size()));
}

CAF_TEST(connections follow one another) {
  auto reader = open();
  connected_pair first, second;
  streams->take_output(first.near);
  streams->take_output(second.near);
  CAF_CHECK(say(second.far, "second"));
  CAF_CHECK(say(first.far, "first "));
  first.far.reset();
  second.far.reset();
  finish();
  CAF_CHECK_EQUAL(read_all(reader), "first second");
}

CAF_TEST(a slow reader gets what the guest said last also after its end) {
  auto reader = open();
  connected_pair guest;
  streams->take_output(guest.near);
  int small = 1 << 20;
  ::setsockopt(guest.far.get(), SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
  auto sent = pattern(300'000);
  CAF_CHECK(say(guest.far, sent));
  guest.far.reset(); // All is in sockets, or held by the window, and nobody has read.
  finish();
  streams = nullptr; // The reader is served on.
  CAF_CHECK(read_all(reader) == sent);
}

CAF_TEST(a reader that goes away holds nobody) {
  auto stays = open();
  auto goes = open();
  connected_pair guest;
  streams->take_output(guest.near);
  CAF_CHECK(say(guest.far, "one"));
  CAF_CHECK_EQUAL(read_some(goes, 3), "one");
  goes.reset();
  auto sent = pattern(300'000);
  auto said = std::async(std::launch::async, [&] { return say(guest.far, sent); });
  CAF_CHECK(read_some(stays, 3 + sent.size()) == "one" + sent);
  CAF_CHECK(said.get());
}

CAF_TEST(chunks come as far as was granted) {
  auto reader = streams->add_reader([this](output_chunk c) { chunks.put(std::move(c)); });
  connected_pair guest;
  streams->take_output(guest.near);
  CAF_CHECK(say(guest.far, "0123456789"));
  streams->grant(reader, 4);
  auto got = chunks.wait(1);
  CAF_REQUIRE_EQUAL(got.size(), 1u);
  CAF_CHECK_EQUAL(got[0].bytes, "0123");
  streams->grant(reader, 100);
  got = chunks.wait(2);
  CAF_CHECK_EQUAL(got[1].bytes, "456789");
  CAF_CHECK_EQUAL(got[1].offset, 4u);
  CAF_CHECK(!got[1].last);
  guest.far.reset();
  finish();
  got = chunks.wait(3);
  CAF_REQUIRE_EQUAL(got.size(), 3u);
  CAF_CHECK(got[2].last);
  CAF_CHECK_EQUAL(got[2].offset, 10u);
}

CAF_TEST(a reader that comes after all is over is told what is kept and the end) {
  connected_pair guest;
  streams->take_output(guest.near);
  CAF_CHECK(say(guest.far, "kept"));
  guest.far.reset();
  finish();
  auto reader = streams->add_reader([this](output_chunk c) { chunks.put(std::move(c)); });
  streams->grant(reader, 100);
  auto got = chunks.wait(1);
  CAF_CHECK_EQUAL(got[0].bytes, "kept");
  CAF_CHECK(got[0].last);
}

CAF_TEST(a guest that keeps its connection is cut off in the end) {
  connected_pair output, status;
  streams->take_output(output.near);
  streams->take_status(status.near);
  auto reader = open();
  CAF_CHECK(say(output.far, "said"));
  finish();
  CAF_CHECK_EQUAL(read_all(reader), "said");
  CAF_CHECK_EQUAL(read_all(status.far), "");
}

CAF_TEST(status lines are told in their order before finish is done) {
  connected_pair guest;
  streams->take_status(guest.near);
  CAF_CHECK(say(guest.far, "{\"status\":\"started\"}\n{\"status\":\"re"));
  CAF_REQUIRE_EQUAL(statuses.wait(1).size(), 1u);
  CAF_CHECK(say(guest.far, "ady\"}\n{\"status\":\"finished\",\"exit_code\":3}\n{\"half"));
  guest.far.reset();
  finish();
  auto told = statuses.wait(0);
  CAF_REQUIRE_EQUAL(told.size(), 3u);
  CAF_CHECK(told[1].kind == payload_status_kind::ready);
  CAF_CHECK_EQUAL(told[2].exit_code, 3);
  CAF_CHECK_EQUAL(complaints.wait(0).size(), 0u);
}

CAF_TEST(a channel that speaks nonsense is closed) {
  connected_pair guest;
  streams->take_status(guest.near);
  CAF_CHECK(say(guest.far, "hello\n"));
  CAF_CHECK_EQUAL(complaint(), "status line: no JSON object");
  CAF_CHECK_EQUAL(read_all(guest.far), "");
}

CAF_TEST(a line without an end is not waited for) {
  connected_pair guest;
  streams->take_status(guest.near);
  say(guest.far, std::string(2 * max_status_line_bytes, ' '));
  CAF_CHECK_EQUAL(complaint(), "status line: longer than 4096 bytes");
}

CAF_TEST(a guest that floods its status is heard so often and no more) {
  for (int i = 0; i < 3; ++i) {
    connected_pair guest;
    streams->take_status(guest.near);
    std::string lines;
    for (int n = 0; n < 50; ++n)
      lines += "{\"status\":\"ready\"}\n";
    say(guest.far, lines);
    guest.far.reset();
  }
  CAF_CHECK_EQUAL(complaints.wait(1).size(), 1u);
  finish();
  CAF_CHECK_EQUAL(statuses.wait(0).size(), max_status_lines);
}

CAF_TEST(more connections than allowed are closed) {
  std::vector<connected_pair> guests(max_status_connections + 1);
  for (auto& guest : guests)
    streams->take_status(std::exchange(guest.near, nullptr));
  CAF_CHECK_EQUAL(read_all(guests.back().far), "");
  CAF_CHECK(say(guests.front().far, "{\"status\":\"ready\"}\n"));
  CAF_CHECK_EQUAL(statuses.wait(1).size(), 1u);
}

CAF_TEST(streams that are let go of leave nothing) {
  connected_pair output, status;
  streams->take_output(std::exchange(output.near, nullptr));
  streams->take_status(std::exchange(status.near, nullptr));
  auto reader = open();
  streams = nullptr;
  CAF_CHECK_EQUAL(read_all(output.far), "");
  CAF_CHECK_EQUAL(read_all(status.far), "");
  CAF_CHECK_EQUAL(read_all(reader), "");
  output.far.reset();
  status.far.reset();
  reader.reset();
  check_nothing_left();
}

CAF_TEST_FIXTURE_SCOPE_END()
