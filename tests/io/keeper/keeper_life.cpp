// SPDX-License-Identifier: Apache-2.0
// A keeper from its start to its end, with services that come and go.
#include "crosvisor/tests/io/keeper/run_keeper.hpp"

#undef CAF_SUITE
#define CAF_SUITE io.keeper.life

using namespace crosvisor;
using namespace crosvisor::io;
using namespace crosvisor::tests;

CAF_TEST_FIXTURE_SCOPE(keeper_life_tests, run_keeper_fixture)

CAF_TEST(each service is told all from the beginning) {
  auto service = start();
  auto hello = service.hear();
  CAF_CHECK_EQUAL(hello.type(), "hello");
  CAF_CHECK_EQUAL(hello.body.value("version", 0), keeper_protocol_version);
  CAF_CHECK_EQUAL(hello.body.value("boot_id", ""), "this-boot");
  CAF_CHECK_EQUAL(hello.body.value("cid", 0u), cid);
  CAF_CHECK_EQUAL(hello.body.value("pid", 0), keeper->pid());
  CAF_CHECK_EQUAL(hello.body.value("launched_ms", 0), 4711);
  CAF_REQUIRE_EQUAL(hello.fds.size(), 1u);
  CAF_CHECK_EQUAL(service.types_until("up"), "synced step step step up");
  service.leave();
  auto next = connect();
  CAF_CHECK_EQUAL(next.types_until("synced"), "hello step step step up synced");
  CAF_CHECK_EQUAL(status("Threads"), 1);
  release(next);
  check_nothing_left();
}

CAF_TEST(the text of a launch comes with the greeting) {
  auto service = start();
  auto hello = service.hear();
  CAF_REQUIRE_EQUAL(hello.fds.size(), 1u);
  auto text = read_file("/proc/self/fd/" + std::to_string(hello.fds[0].get()));
  auto read = decode_keeper_launch(text, false);
  CAF_REQUIRE(read);
  CAF_CHECK_EQUAL(read->request.config.name, "demo");
  CAF_CHECK_EQUAL(text, record("launch"));
  service.hear("up");
  release(service);
}

CAF_TEST(an end that nobody saw is told to the next service) {
  auto service = start();
  auto vmm = pidfd_of(service.hear("up").body.value("pid", 0));
  service.leave();
  ::syscall(SYS_pidfd_send_signal, vmm.get(), SIGKILL, nullptr, 0);
  CAF_CHECK(ends(vmm));
  auto next = connect();
  auto exit = next.hear("exit");
  CAF_CHECK_EQUAL(exit.body.value("value", 0), SIGKILL);
  CAF_CHECK_EQUAL(exit.body.value("reason", 0), static_cast<int>(death_reason::killed));
  auto written = json::parse(record("exit"));
  CAF_CHECK_EQUAL(written.value("value", 0), SIGKILL);
  next.leave();
  auto last = connect();
  CAF_CHECK_EQUAL(last.types_until("synced"), "hello step step step up exit synced");
  CAF_CHECK_EQUAL(last.ask({{"type", "release"}}), "");
  CAF_CHECK_EQUAL(end(), "exit code 0");
  check_nothing_left();
}

CAF_TEST(a VM that runs is not released) {
  auto service = start();
  service.hear("up");
  CAF_CHECK_EQUAL(service.ask({{"type", "release"}}), "the VMM runs");
  CAF_CHECK_EQUAL(service.ask({{"type", "ask"}, {"what", 2}}), "");
  release(service);
}

CAF_TEST(notes are kept) {
  prepare("play=up");
  launch.request.notes = {{"owner", "someone"}, {"name", "demo"}};
  auto service = execute();
  CAF_CHECK_EQUAL(service.hear().body["notes"].dump(), R"({"name":"demo","owner":"someone"})");
  service.say({{"type", "note"}, {"key", "stopping"}, {"value", "1"}});
  service.say({{"type", "note"}, {"key", "name"}, {"value", ""}});
  service.say({{"type", "note"}, {"key", "large"}, {"value", std::string(70'000, 'x')}});
  service.leave();
  auto next = connect();
  CAF_CHECK_EQUAL(next.hear().body["notes"].dump(), R"({"owner":"someone","stopping":"1"})");
  CAF_CHECK_EQUAL(record("notes"), "{\"owner\":\"someone\",\"stopping\":\"1\"}\n");
  release(next);
}

CAF_TEST(a keeper that is killed takes the VMM with it) {
  auto service = start("play=hang");
  auto vmm = pidfd_of(service.hear("up").body.value("pid", 0));
  keeper->signal(SIGKILL);
  CAF_CHECK_EQUAL(end(), "signal 9");
  CAF_CHECK(ends(vmm));
  CAF_CHECK_EQUAL(service.hear().type(), "end");
}

CAF_TEST(a launch that fails is told) {
  prepare("");
  launch.vmm.path = dir / "nothing";
  auto service = execute();
  auto failed = service.hear("launch_failed");
  CAF_CHECK_EQUAL(failed.body.value("failure", -1), static_cast<int>(launch_failure::no_vmm));
  service.leave();
  auto next = connect();
  CAF_CHECK_EQUAL(next.types_until("synced"), "hello step launch_failed synced");
  CAF_CHECK_EQUAL(json::parse(record("exit")).value("reason", 0),
                  static_cast<int>(death_reason::start_failed));
  CAF_CHECK_EQUAL(next.ask({{"type", "release"}}), "");
  CAF_CHECK_EQUAL(end(), "exit code 0");
  check_nothing_left();
}

CAF_TEST(a service that goes before the launch leaves nothing) {
  prepare("play=up");
  auto service = execute(true);
  CAF_CHECK_EQUAL(end(), "exit code 0");
  check_nothing_left();
}

CAF_TEST(a keeper that cannot begin says why and leaves nothing) {
  prepare("play=up");
  launch.how.runtime_root = dir / "missing/run";
  auto service = execute();
  auto failed = service.hear();
  CAF_CHECK_EQUAL(failed.type(), "launch_failed");
  CAF_CHECK_EQUAL(failed.body.value("failure", -1), static_cast<int>(launch_failure::host));
  CAF_CHECK_NOT_EQUAL(failed.body.value("what", "").find("missing"), std::string::npos);
  CAF_CHECK_EQUAL(end(), "exit code 1");
  CAF_CHECK_EQUAL(names_in(state + "/keepers"), "");
}

CAF_TEST(nor does one that fails in the middle leave anything) {
  prepare("play=up");
  dir.write("state/logs", "no folder");
  auto service = execute();
  CAF_CHECK_EQUAL(service.hear().type(), "launch_failed");
  CAF_CHECK_EQUAL(end(), "exit code 1");
  check_nothing_left();
}

CAF_TEST(a host that goes down ends the VM and is recorded) {
  auto service = start();
  auto vmm = pidfd_of(service.hear("up").body.value("pid", 0));
  for (auto number : {SIGHUP, SIGINT, SIGUSR1, SIGUSR2, SIGPIPE, SIGTERM})
    keeper->signal(number);
  CAF_CHECK(ends(vmm));
  CAF_CHECK_EQUAL(service.hear("exit").type(), "exit");
  service.leave();
  CAF_CHECK_EQUAL(end(), "exit code 0");
  CAF_CHECK_EQUAL(names_in(state + "/keepers/2048"), "exit launch");
  CAF_CHECK_EQUAL(names_in(dir.path()), "state vmlinux");
  auto left = keeper_record::open(state, cid);
  CAF_REQUIRE(left);
  CAF_CHECK(left->lock());
}

CAF_TEST(its record is locked as long as it lives) {
  auto service = start();
  service.hear("up");
  auto other = keeper_record::open(state, cid);
  CAF_REQUIRE(other);
  auto locked = other->lock();
  CAF_REQUIRE(!locked);
  CAF_CHECK_EQUAL(locked.why().code, EBUSY);
  release(service);
}

CAF_TEST(it is small) {
  auto service = start();
  service.hear("up");
  CAF_CHECK_EQUAL(service.ask({{"type", "get_balloon"}}), "");
  CAF_MESSAGE("resident: " << status("VmRSS") << " KiB, of which " << status("RssAnon")
                           << " KiB are its own");
  CAF_CHECK_EQUAL(status("Threads"), 1);
  CAF_CHECK_LESS_OR_EQUAL(status("VmRSS"), (3 << 10) + sanitizer_kib);
  release(service);
}

CAF_TEST(nothing grows with a thousand services) {
  auto service = start();
  service.hear("up");
  service.leave();
  // The last one is still there when it is counted.
  auto visit = [this](int times) {
    for (int i = 1;; ++i) {
      auto next = connect();
      CAF_REQUIRE_EQUAL(next.types_until("synced"), "hello step step step up synced");
      if (i == times)
        return next;
    }
  };
  auto first = visit(20);
  auto held = descriptors();
  auto memory_kib = status("RssAnon");
  first.leave();
  auto last = visit(1000);
  CAF_CHECK_EQUAL(descriptors(), held);
  CAF_CHECK_LESS_OR_EQUAL(status("RssAnon"), memory_kib + 64 + sanitizer_kib);
  release(last);
}

CAF_TEST_FIXTURE_SCOPE_END()
