// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/keeper/kept_streams.hpp"

#include "crosvisor/tests/io/guest/sockets.hpp"
#include "crosvisor/tests/io/keeper/launcher_fixture.hpp"

#include <iterator>
#include <sstream>

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

  mailbox<guest_connection> connections;

  /// A service whose VMs have vsock.
  void open_door() {
    options.how.vsock_program = STAND_IN_TALKING_VSOCK;
    options.how.door = std::make_shared<guest_door>(make_shared_loop("test-door"), vsock_calls{});
    options.how.door->open(
      {[this](guest_connection made) { connections.put(std::move(made)); }, [](auto, auto) {}});
    open();
  }

  void close_door() {
    service.reset();
    options.how.door = nullptr;
  }

  static std::string ports(const std::vector<guest_connection>& made) {
    std::set<std::uint32_t> sorted;
    for (const auto& each : made)
      sorted.insert(each.port);
    std::string text;
    for (auto port : sorted)
      text += (text.empty() ? "" : " ") + std::to_string(port);
    return text;
  }

  std::string answer_of_port(vmm_process& vm, std::uint32_t port) {
    mailbox<std::string> answer;
    vm.connect_vsock(port, 5s, [&](result<stream_socket> got) {
      answer.put(got ? read_some(**got, std::string{"guest port 7"}.size()) : got.why().what);
    });
    auto all = answer.wait(1);
    return all.empty() ? "no answer" : all.front();
  }

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

  static std::string sorted(const std::string& words) {
    std::istringstream from{words};
    std::multiset<std::string> all{std::istream_iterator<std::string>{from}, {}};
    std::string text;
    for (const auto& each : all)
      text += (text.empty() ? "" : " ") + each;
    return text;
  }

  /// The ports of those that were reported.
  std::string vm_connections() {
    std::set<int> ports;
    for (const auto& each : reports.wait(0))
      if (each.what == "connection")
        ports.insert(each.pid);
    std::string text;
    for (auto port : ports)
      text += (text.empty() ? "" : " ") + std::to_string(port);
    return text;
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
  CAF_CHECK(chunks.wait(2).back().offset == 5);
  CAF_CHECK_EQUAL(read_all(*reader), "");
  finish(*streams);
  release(vm);
  check_nothing_left();
}

CAF_TEST(what a guest opened waits for the service that takes it) {
  open_door();
  auto streams = make_streams();
  auto asked = request();
  asked.streams = streams;
  auto vm = launch(std::move(asked));
  told(1);
  auto keeper = keeper_pid();
  // The first service ends with both in its hands.
  auto held = connections.wait(2);
  CAF_CHECK_EQUAL(ports(held), "3000 5000");
  service->launcher->leave();
  held.clear();
  vm = nullptr;
  streams = nullptr;
  connections.clear();
  service.reset();
  // The second takes one, and lets go of the other by mistake.
  open_door();
  streams = make_streams();
  vm = adopt(streams);
  CAF_CHECK_EQUAL(ports(connections.wait(2)), "3000 5000");
  for (auto& each : connections.wait(2))
    if (each.port == payload_status_port)
      streams->take_status(each.socket);
  connections.clear();
  CAF_CHECK_EQUAL(statuses.wait(2).size(), 2u);
  CAF_CHECK_EQUAL(answer_of_port(*vm, 7), "guest port 7");
  leave(vm);
  streams = nullptr;
  // The third has what is known by then, and that its keeper reads both.
  open_door();
  streams = make_streams();
  vm = adopt(streams);
  CAF_CHECK_EQUAL(statuses.wait(2).size(), 2u);
  CAF_CHECK_EQUAL(answer_of_port(*vm, 8), "guest port 8");
  CAF_CHECK_EQUAL(ports(connections.wait(2)), "3000 5000");
  vm->kill();
  end();
  finish(*streams);
  release(vm);
  CAF_CHECK_EQUAL(reap(keeper), "exit code 0");
  check_nothing_left();
  vm = nullptr;
  close_door();
}

CAF_TEST(a kept connection comes before the end that it had before) {
  options.how.vsock_program = STAND_IN_TALKING_VSOCK;
  open();
  auto hear = [this](const vmm_callbacks& heard) {
    auto to = heard;
    to.on_synced = [this] { reports.put({"synced", 0, {}, {}, {}}); };
    to.on_connection = [this](std::uint32_t port, stream_socket socket) {
      connections.put({cid, port, std::move(socket)}); // To be let go of later than the service.
      reports.put({"connection", static_cast<int>(port), {}, {}, {}});
    };
    return to;
  };
  auto streams = make_streams();
  auto asked = request();
  asked.streams = streams;
  auto vm = service->launcher->launch(std::move(asked), hear(callbacks()));
  CAF_CHECK_EQUAL(sorted(told(3)), "connection connection up");
  CAF_CHECK_EQUAL(vm_connections(), "3000 5000");
  auto pid = vmm_pid();
  auto keeper = keeper_pid();
  leave(vm);
  connections.clear();
  streams = nullptr;
  // What follows the last that had happened is told from then on.
  open();
  streams = make_streams();
  vm = service->launcher->adopt(cid, streams, hear(callbacks()));
  auto all = told(4);
  CAF_CHECK(all.ends_with(" synced"));
  CAF_CHECK_EQUAL(sorted(all), "connection connection synced up");
  leave(vm);
  connections.clear();
  streams = nullptr;
  ::kill(pid, SIGKILL);
  CAF_CHECK(ends(pid));
  open();
  streams = make_streams();
  vm = service->launcher->adopt(cid, streams, hear(callbacks()));
  CAF_CHECK_EQUAL(end(), "killed, signal 9: QEMU was ended by signal 9 (Killed)");
  all = told(4);
  CAF_CHECK(all.ends_with(" exit") || all.ends_with(" synced exit"));
  CAF_CHECK_EQUAL(vm_connections(), "3000 5000");
  CAF_CHECK_EQUAL(statuses.wait(2).size(), 2u);
  finish(*streams);
  release(vm);
  connections.clear();
  CAF_CHECK_EQUAL(reap(keeper), "exit code 0");
  check_nothing_left();
}

CAF_TEST(whoever reads slowly holds nothing of the VM that was) {
  open();
  auto streams = make_streams();
  auto asked = request();
  asked.streams = streams;
  // Each is at its end when nobody has the other one any more.
  connected_pair claim{SOCK_STREAM}, file{SOCK_STREAM};
  asked.vsock = std::make_shared<const unique_fd>(std::move(*claim.near));
  auto files = std::make_shared<descriptor_set>();
  files->add(std::move(*file.near));
  asked.origin =
    std::make_shared<const vm_origin>(vm_origin{asked.config, asked.choice, std::move(files)});
  auto vm = launch(std::move(asked));
  asked = {};
  told(1);
  auto reader = streams->open_output();
  CAF_REQUIRE(reader);
  connected_pair output{SOCK_STREAM};
  streams->take_output(output.near);
  CAF_CHECK(say(output.far, std::string(700'000, 'x')));
  output.far.reset();
  vm->kill();
  end();
  finish(*streams);
  release(vm);
  CAF_CHECK(keeper_pid() > 0);
  CAF_CHECK_EQUAL(read_all(claim.far), "");
  CAF_CHECK_EQUAL(read_all(file.far), "");
  check_nothing_left();
  reports.clear();
  auto next = launch(request());
  CAF_CHECK_EQUAL(told(1), "up");
  next->kill();
  end();
  release(next);
  check_nothing_left();
}

CAF_TEST_FIXTURE_SCOPE_END()
