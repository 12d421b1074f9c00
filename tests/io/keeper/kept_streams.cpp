// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/keeper/kept_streams.hpp"

#include "crosvisor/tests/io/guest/sockets.hpp"
#include "crosvisor/tests/io/keeper/launcher_fixture.hpp"

#undef CAF_SUITE
#define CAF_SUITE io.keeper.kept_streams

using namespace crosvisor;
using namespace crosvisor::io;
using namespace crosvisor::tests;
using namespace std::chrono_literals;

namespace {

struct fixture : launcher_fixture {
  mailbox<output_chunk> chunks;
  mailbox<bool> finished;

  std::uint64_t add_reader(guest_streams& streams) {
    auto id = streams.add_reader([this](output_chunk chunk) { chunks.put(std::move(chunk)); });
    streams.grant(id, 1u << 20);
    return id;
  }

  /// All bytes that chunks had, `$` where one was the last.
  std::string text(std::size_t bytes, bool last = false) {
    auto of = [](auto& all) {
      std::string text;
      for (auto& chunk : all)
        text += chunk.bytes + (chunk.last ? "$" : "");
      return text;
    };
    auto all =
      chunks.wait_for([&](auto& some) { return of(some).size() >= bytes + (last ? 1u : 0u); });
    return of(all);
  }

  void finish(guest_streams& streams) {
    finished.clear();
    streams.finish([this] { finished.put(true); });
    CAF_CHECK_EQUAL(finished.wait(1).size(), 1u);
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(kept_streams_tests, fixture)

CAF_TEST(streams of a VM that was never launched end) {
  open();
  auto streams = make_streams();
  auto reader = streams->open_output();
  CAF_REQUIRE(reader);
  add_reader(*streams);
  finish(*streams);
  CAF_CHECK_EQUAL(read_all(*reader), "");
  CAF_CHECK_EQUAL(text(0, true), "$");
  auto late = streams->open_output();
  CAF_REQUIRE(late);
  CAF_CHECK_EQUAL(read_all(*late), "");
}

CAF_TEST(readers that were there before the launch read what the keeper does) {
  open();
  auto streams = make_streams();
  auto reader = streams->open_output();
  CAF_REQUIRE(reader);
  add_reader(*streams);
  auto asked = request();
  asked.streams = streams;
  auto vm = launch(std::move(asked));
  told(1);
  connected_pair output{SOCK_STREAM};
  connected_pair status{SOCK_STREAM};
  streams->take_output(output.near);
  streams->take_status(status.near);
  CAF_CHECK(say(output.far, "hello"));
  CAF_CHECK_EQUAL(text(5), "hello");
  CAF_CHECK(say(status.far, "{\"status\":\"started\"}\n"));
  CAF_CHECK_EQUAL(statuses.wait(1).size(), 1u);
  output.far.reset();
  status.far.reset();
  vm->kill();
  end();
  finish(*streams);
  CAF_CHECK_EQUAL(text(5, true), "hello$");
  CAF_CHECK_EQUAL(read_all(*reader), "hello");
  release(vm);
  check_nothing_left();
}

CAF_TEST(output goes on without a service and the next one reads it) {
  open();
  auto streams = make_streams();
  auto asked = request();
  asked.streams = streams;
  auto vm = launch(std::move(asked));
  told(1);
  auto keeper = keeper_pid();
  auto reader = streams->open_output();
  CAF_REQUIRE(reader);
  connected_pair output{SOCK_STREAM};
  connected_pair status{SOCK_STREAM};
  streams->take_output(output.near);
  streams->take_status(status.near);
  CAF_CHECK(say(output.far, "one "));
  CAF_CHECK(say(status.far, "{\"status\":\"started\"}\n"));
  CAF_CHECK_EQUAL(statuses.wait(1).size(), 1u);
  leave(vm);
  streams = nullptr;
  CAF_CHECK(say(output.far, "two "));
  CAF_CHECK(say(status.far, "{\"status\":\"ready\"}\n"));
  open();
  streams = make_streams();
  add_reader(*streams);
  vm = adopt(streams);
  CAF_REQUIRE(vm);
  CAF_CHECK(say(output.far, "three"));
  CAF_CHECK(text(8).ends_with("three"));
  // All that it ever said.
  auto said = statuses.wait(2);
  CAF_REQUIRE_EQUAL(said.size(), 2u);
  CAF_CHECK(said[1].kind == payload_status_kind::ready);
  output.far.reset();
  status.far.reset();
  vm->kill();
  end();
  finish(*streams);
  CAF_CHECK_EQUAL(read_all(*reader), "one two three");
  release(vm);
  CAF_CHECK_EQUAL(reap(keeper), "exit code 0");
  check_nothing_left();
}

CAF_TEST(readers of a killed keeper are at the end) {
  open();
  auto streams = make_streams();
  auto asked = request();
  asked.streams = streams;
  auto vm = launch(std::move(asked));
  told(1);
  auto reader = streams->open_output();
  CAF_REQUIRE(reader);
  add_reader(*streams);
  connected_pair output{SOCK_STREAM};
  streams->take_output(output.near);
  CAF_CHECK(say(output.far, "hello"));
  CAF_CHECK_EQUAL(text(5), "hello");
  CAF_CHECK_EQUAL(read_some(*reader, 5), "hello");
  ::kill(keeper_pid(), SIGKILL);
  CAF_CHECK_EQUAL(text(5, true), "hello$");
  end();
  CAF_CHECK_EQUAL(chunks.wait(2).back().offset, 5u);
  CAF_CHECK_EQUAL(read_all(*reader), "");
  finish(*streams);
  release(vm);
  check_nothing_left();
}

CAF_TEST_FIXTURE_SCOPE_END()
