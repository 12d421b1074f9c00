// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/vm_commands.hpp"

#include "crosvisor/cli/exit_code.hpp"
#include "crosvisor/cli/guest_port.hpp"
#include "crosvisor/cli/vm_request.hpp"
#include "crosvisor/tests/cli/fake_connection.hpp"

#include <caf/test/dsl.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <atomic>

#undef CAF_SUITE
#define CAF_SUITE cli.vm_commands

using namespace crosvisor;
using namespace crosvisor::cli;
using namespace crosvisor::tests;
using namespace std::chrono_literals;

namespace {

using door = door_answers::door;

/// `done`, or `CODE SENTENCE`.
template <class T>
std::string told(const outcome<T>& what) {
  const auto* end = std::get_if<early_end>(&what);
  return end == nullptr ? "done"
                        : std::to_string(general_exit_code(end->exit_code)) + ' ' + end->what;
}

caf::error refusal_of(vm_errc code, const std::string& sentence) {
  return caf::make_error(code, sentence);
}

struct fixture {
  fixture() {
    answers().find = [](door, const vm_name& name) -> caf::result<vm_info> {
      if (name == "demo")
        return sample_vm();
      return refusal_of(vm_errc::no_such_vm, "no living VM with the name");
    };
    answers().list = [](door) -> caf::result<std::vector<vm_info>> {
      return std::vector{sample_vm(), sample_vm(2049, "other")};
    };
  }

  door_answers& answers() { return *service.answers; }

  /// The answer to a verb about one VM.
  door_answers::reply<vm_info, vm_cid> good() {
    return [this](door, vm_cid cid) -> caf::result<vm_info> {
      asked = cid;
      return sample_vm(cid);
    };
  }

  std::string verb(vm_verb what, const std::string& vm) {
    return told(do_verb(service, {what, vm, {}}));
  }

  fake_connection service;
  std::atomic<vm_cid> asked = no_cid;
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(vm_command_tests, fixture)

CAF_TEST(each verb asks for the VM by its CID or its name) {
  answers().start = answers().suspend = answers().resume = answers().hold = answers().drop = good();
  for (auto what :
       {vm_verb::start, vm_verb::suspend, vm_verb::resume, vm_verb::hold, vm_verb::drop}) {
    asked = no_cid;
    CAF_CHECK_EQUAL(verb(what, "2051"), "done");
    CAF_CHECK_EQUAL(asked.load(), 2051u);
    CAF_CHECK_EQUAL(verb(what, "demo"), "done");
    CAF_CHECK_EQUAL(asked.load(), 2048u);
  }
}

CAF_TEST(a VM that is not there is not found) {
  answers().start = [](door, vm_cid) -> caf::result<vm_info> {
    return refusal_of(vm_errc::no_such_vm, "no VM with CID 4711");
  };
  CAF_CHECK_EQUAL(verb(vm_verb::start, "4711"), "3 no VM with CID 4711; `crosvisor list` shows 2");
  CAF_CHECK_EQUAL(verb(vm_verb::start, "nobody"),
                  "3 no VM with name \"nobody\"; `crosvisor list` shows 2");
}

CAF_TEST(who may not list is not told how many there are) {
  answers().list = [](door) -> caf::result<std::vector<vm_info>> {
    return refusal_of(vm_errc::denied, "uid 1000 lacks \"debug\"");
  };
  CAF_CHECK_EQUAL(verb(vm_verb::hold, "nobody"), "3 no VM with name \"nobody\"");
}

CAF_TEST(what is denied is said with where it is granted) {
  answers().list = [](door) -> caf::result<std::vector<vm_info>> {
    return refusal_of(vm_errc::denied, "uid 1000 lacks \"debug\"");
  };
  CAF_CHECK_EQUAL(told(list_vms(service)),
                  "4 permission denied by crosvisord: uid 1000 lacks \"debug\" (granted in "
                  "/etc/crosvisor/crosvisor.json)");
  answers().suspend = [](door, vm_cid) -> caf::result<vm_info> {
    return refusal_of(vm_errc::denied, "uid 1000 may not suspend VM 5");
  };
  CAF_CHECK_EQUAL(verb(vm_verb::suspend, "5"),
                  "4 permission denied by crosvisord: uid 1000 may not suspend VM 5");
}

CAF_TEST(other refusals keep their sentence and have their code) {
  auto refuse = [this](vm_errc code) {
    answers().resume = [code](door, vm_cid) -> caf::result<vm_info> {
      return refusal_of(code, "because\x1b[2J");
    };
    return verb(vm_verb::resume, "5");
  };
  CAF_CHECK_EQUAL(refuse(vm_errc::wrong_state), "6 because\\x1b[2J");
  CAF_CHECK_EQUAL(refuse(vm_errc::timed_out), "5 because\\x1b[2J");
  CAF_CHECK_EQUAL(refuse(vm_errc::vmm_refused), "1 because\\x1b[2J");
  CAF_CHECK_EQUAL(refuse(vm_errc::io_failed), "1 because\\x1b[2J");
  CAF_CHECK_EQUAL(refuse(vm_errc::unsupported), "2 because\\x1b[2J");
}

CAF_TEST(a service that does not answer is out of time) {
  answers().state = [](door self, vm_cid) { return no_answer<vm_info>(self); };
  CAF_CHECK_EQUAL(told(vm_request{service, "5", 50ms}.info()),
                  "5 no answer in time from unix:/run/crosvisor/crosvisord.sock");
}

CAF_TEST(a door that is lost is told at once) {
  answers().state = [this](door self, vm_cid) {
    service.lose();
    return no_answer<vm_info>(self);
  };
  CAF_CHECK_EQUAL(told(get_vm(service, "5")),
                  "1 lost the connection to unix:/run/crosvisor/crosvisord.sock");
  CAF_CHECK_EQUAL(told(list_vms(service)),
                  "1 lost the connection to unix:/run/crosvisor/crosvisord.sock");
}

CAF_TEST(a stop has its grace and a forced one none) {
  std::atomic<std::int64_t> grace_ms = -1;
  answers().stop = [&](door, vm_cid cid, caf::timespan grace) -> caf::result<vm_info> {
    grace_ms = std::chrono::duration_cast<std::chrono::milliseconds>(grace).count();
    return sample_vm(cid);
  };
  CAF_CHECK_EQUAL(told(stop_vm(service, {"5", {}, false, {}})), "done");
  CAF_CHECK_EQUAL(grace_ms.load(), 10'000);
  CAF_CHECK_EQUAL(told(stop_vm(service, {"demo", 2500ms, false, {}})), "done");
  CAF_CHECK_EQUAL(grace_ms.load(), 2500);
  answers().kill = good();
  CAF_CHECK_EQUAL(told(stop_vm(service, {"7", {}, true, {}})), "done");
  CAF_CHECK_EQUAL(asked.load(), 7u);
}

CAF_TEST(a balloon is read and set) {
  std::atomic<std::uint64_t> size = 1;
  answers().balloon = [](door, vm_cid) -> caf::result<balloon_info> {
    return balloon_info{64, 128};
  };
  answers().set_balloon = [&](door, vm_cid, std::uint64_t bytes) -> caf::result<caf::ok_atom> {
    size = bytes;
    return caf::ok_atom::value;
  };
  auto got = get_balloon(service, {"demo", {}, {}, {}});
  CAF_REQUIRE_EQUAL(told(got), "done");
  auto bytes = std::get<balloon_info>(got).size_bytes;
  CAF_CHECK_EQUAL(bytes, 64u);
  CAF_CHECK_EQUAL(told(set_balloon(service, {"demo", 0, {}, {}})), "done");
  CAF_CHECK_EQUAL(size.load(), 0u);
}

CAF_TEST(a VM is passed by a word) {
  answers().pass = [](door, vm_cid) -> caf::result<ticket> { return ticket{"word"}; };
  answers().take = [](door, const ticket& word) -> caf::result<vm_info> {
    if (word == "word")
      return sample_vm(2051);
    return refusal_of(vm_errc::no_such_ticket, "no such word");
  };
  auto word = pass_vm(service, {"demo", {}});
  CAF_REQUIRE_EQUAL(told(word), "done");
  CAF_CHECK_EQUAL(std::get<ticket>(word), "word");
  auto vm = take_vm(service, {"word", {}});
  CAF_REQUIRE_EQUAL(told(vm), "done");
  CAF_CHECK_EQUAL(std::get<vm_info>(vm).cid, 2051u);
  CAF_CHECK_EQUAL(told(take_vm(service, {"other", {}})), "3 no such word");
}

CAF_TEST(a drain gives guests their time) {
  std::atomic<std::int64_t> grace = 0;
  answers().drain = [&](door, caf::timespan given) -> caf::result<caf::ok_atom> {
    grace = given.count();
    return caf::ok_atom::value;
  };
  CAF_CHECK_EQUAL(told(drain(service, {})), "done");
  CAF_CHECK_EQUAL(grace.load(), caf::timespan{10s}.count());
  CAF_CHECK_EQUAL(told(drain(service, {3s, false, {}})), "done");
  CAF_CHECK_EQUAL(grace.load(), caf::timespan{3s}.count());
  answers().end_drain = [](door) -> caf::result<caf::ok_atom> {
    return refusal_of(vm_errc::denied, "not root");
  };
  CAF_CHECK(told(drain(service, {{}, true, {}})).starts_with("4 "));
}

CAF_TEST(a port of the guest is a descriptor) {
  std::atomic<std::uint32_t> asked_port = 0;
  answers().connect = [&](door, vm_cid, std::uint32_t port, caf::timespan) -> caf::result<ticket> {
    asked_port = port;
    return ticket{"socket"};
  };
  service.left["socket"].reset(::open("/dev/null", O_RDWR | O_CLOEXEC));
  auto socket = connect_port(service, {"demo", 5555, {}, {}});
  CAF_REQUIRE_EQUAL(told(socket), "done");
  CAF_CHECK(static_cast<bool>(std::get<guest_port>(socket).socket));
  CAF_CHECK_EQUAL(asked_port.load(), 5555u);
  CAF_CHECK_EQUAL(told(connect_port(service, {"demo", 5555, {}, {}})), "1 no such ticket");
  answers().connect = [](door, vm_cid, std::uint32_t, caf::timespan) -> caf::result<ticket> {
    return refusal_of(vm_errc::connection_refused, "nobody listens on port 5555");
  };
  CAF_CHECK_EQUAL(told(connect_port(service, {"demo", 5555, {}, {}})),
                  "1 nobody listens on port 5555");
}

CAF_TEST(a port of a guest on another host is a stream) {
  service.at = {endpoint_kind::tls, "", "far.example", 7443};
  answers().connect_stream = [](door, vm_cid, std::uint32_t,
                                caf::timespan) -> caf::result<std::uint64_t> {
    return refusal_of(vm_errc::connection_refused, "nobody listens on port 5555");
  };
  CAF_CHECK_EQUAL(told(connect_port(service, {"demo", 5555, {}, {}})),
                  "1 nobody listens on port 5555");
  answers().connect_stream = [](door self, vm_cid, std::uint32_t port,
                                caf::timespan) -> caf::result<std::uint64_t> {
    auto client = caf::actor_cast<stream_client_actor>(self->current_sender());
    auto answer = self->make_response_promise<std::uint64_t>();
    // What is sent behind the answer comes after it.
    answer.deliver(std::uint64_t{port});
    self->send(client, stream_piece{port, "hello", false});
    self->send(client, closed_atom::value, std::uint64_t{port},
               refusal_of(vm_errc::wrong_state, "VM 2048 is dead: crash"));
    return answer;
  };
  auto made = connect_port(service, {"demo", 5555, {}, {}});
  CAF_REQUIRE_EQUAL(told(made), "done");
  auto& port = std::get<guest_port>(made);
  char bytes[16] = {};
  CAF_CHECK_EQUAL(::read(port.socket.get(), bytes, 5), 5);
  CAF_CHECK_EQUAL(std::string{bytes}, "hello");
  CAF_CHECK_EQUAL(::read(port.socket.get(), bytes, 1), 0);
  CAF_REQUIRE(port.ended);
  CAF_CHECK_EQUAL(sentence_of(port.ended->get()), "VM 2048 is dead: crash");
}

CAF_TEST_FIXTURE_SCOPE_END()
