// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/vmm/crosvm_channel.hpp"

#include "crosvisor/tests/io/vmm/nth.hpp"
#include "crosvisor/tests/io/vmm/started_vm.hpp"

#include <caf/test/dsl.hpp>

#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>

#include <csignal>
#include <cstring>

#undef CAF_SUITE
#define CAF_SUITE io.vmm.crosvm_channel

using namespace crosvisor;
using namespace crosvisor::io;
using namespace crosvisor::tests;
using namespace std::chrono_literals;

namespace {

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != text.npos;
}

struct fixture {
  holdings before;
  std::optional<started_vm> vm{std::in_place};
  // Short enough to be waited for, long enough for a program to start on a busy host.
  control_timeouts timeouts{3s, 200ms};
  bool legacy = false;
  std::vector<std::string> features{"extended-status", "qcow2", "powerbtn", "balloon", "name"};

  ~fixture() {
    vm.reset();
    CAF_CHECK_EQUAL(to_string(holdings{}), to_string(before));
  }

  void play_2021() {
    legacy = true;
    features = {"legacy-command-line", "qcow2", "balloon"};
  }

  // Starts the stand-in with every kind of file, and lets it play.
  bool start(const std::string& play) {
    std::string program = STAND_IN_CROSVM;
    if (legacy) {
      auto old = vm->temp / "crosvm-2021";
      std::filesystem::create_symlink(program, old);
      program = old;
    }
    auto driver =
      make_crosvm_driver({vmm_kind::crosvm, program, "", {true, {}}, features}, timeouts);
    vm->vm.accel = accel_kind::kvm;
    vm->vm.kernel = vm->file("kernel", "kernel");
    vm->vm.initrd = vm->file("initrd", "initrd");
    auto more = vm->vm.disks;
    vm->vm.disks = {{vm->file("a.raw", "disk"), false, image_format::raw, false},
                    {vm->file("b.raw", "disk", true), false, image_format::raw, true}};
    vm->vm.disks.insert(vm->vm.disks.end(), more.begin(), more.end());
    vm->vm.params = play;
    return vm->start(*driver);
  }

  void check_end(const std::string& play, const std::string& wanted) {
    vm.emplace();
    CAF_REQUIRE(start(play));
    CAF_CHECK_EQUAL(vm->end(), wanted);
    if (auto said = vm->messages(); !said.empty())
      CAF_MESSAGE(said);
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(crosvm_channel_tests, fixture)

CAF_TEST(devices are as crosvm looks at them) {
  for (auto old : {false, true}) {
    if (old)
      play_2021();
    vm.emplace();
    vm->vm.cpus = 4;
    auto& devices = vm->vm.devices;
    devices.topology = {1, 4, 1};
    devices.hugepages = true;
    devices.rng = old;
    devices.pstore = vm->file("pstore", std::string(65536, 'p'), true);
    devices.pstore_bytes = 65536;
    CAF_REQUIRE(start("play=exit:0"));
    CAF_CHECK_EQUAL(vm->end(), "shutdown, exit code 0");
    CAF_CHECK_EQUAL(vm->messages(), "");
  }
}

CAF_TEST(a network card is on a tap interface) {
  // Anybody's, where there is none to be had: then crosvm complains of it.
  unique_fd tun{::open("/dev/net/tun", O_RDWR | O_CLOEXEC)};
  auto request = ifreq{};
  std::strcpy(request.ifr_name, "crosvisor-test");
  request.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
  auto attached = tun && ::ioctl(tun.get(), TUNSETIFF, &request) == 0;
  if (!attached)
    tun.reset(::open("/dev/null", O_RDWR | O_CLOEXEC));
  vm->vm.devices.tap = tun.get();
  vm->vm.devices.mac = "52:54:00:00:08:00";
  CAF_REQUIRE(start("play=exit:0"));
  CAF_CHECK_EQUAL(vm->end(), attached ? "shutdown, exit code 0" : "start_failed, exit code 1");
  CAF_CHECK_EQUAL(vm->messages().find("is no tap interface") == std::string::npos, attached);
}

CAF_TEST(a composite disk is inherited with its components in their modes) {
  for (auto old : {false, true}) {
    if (old)
      play_2021();
    features.push_back("composite-disk");
    vm.emplace();
    vm->composite_disk();
    CAF_REQUIRE(start("play=exit:0"));
    CAF_CHECK_EQUAL(vm->end(), "shutdown, exit code 0");
    CAF_CHECK_EQUAL(vm->messages(), "");
  }
}

CAF_TEST(a composite disk whose component is missing is not started) {
  vm->composite_disk().components.pop_back();
  CAF_REQUIRE(start("play=exit:0"));
  CAF_CHECK_NOT_EQUAL(vm->end(), "shutdown, exit code 0");
  CAF_CHECK(has(vm->messages(), "component"));
  CAF_CHECK(has(vm->messages(), "is not open"));
}

CAF_TEST(every documented end is read as what it is) {
  check_end("play=exit:0", "shutdown, exit code 0");
  check_end("play=exit:1", "start_failed, exit code 1");
  check_end("play=exit:32", "reboot, exit code 32");
  check_end("play=exit:33", "crash, exit code 33");
  check_end("play=exit:34", "crash, exit code 34");
  check_end("play=exit:35", "start_failed, exit code 35");
  check_end("play=exit:36", "watchdog_reboot, exit code 36");
  check_end("play=exit:99", "unknown, exit code 99");
  check_end("play=signal:6", "crash, signal 6");
  check_end("play=signal:9", "killed, signal 9");
}

CAF_TEST(the descriptors are the files that were given) {
  auto report = vm->temp / "report";
  CAF_REQUIRE(start("report=" + report + " play=exit:0"));
  auto inode = [&](const std::string& name) {
    struct stat about {};
    ::stat((vm->temp / name).c_str(), &about);
    return std::to_string(about.st_dev) + ":" + std::to_string(about.st_ino);
  };
  CAF_CHECK_EQUAL(vm->end(), "shutdown, exit code 0");
  auto said = read_file(report);
  auto line = [&](const std::string& role, int fd, const std::string& file, const char* mode) {
    CAF_CHECK(has(said, role + " " + std::to_string(fd) + " " + inode(file) + " " + mode + "\n"));
  };
  line("kernel", vm->vm.kernel, "kernel", "r");
  line("initrd", vm->vm.initrd, "initrd", "r");
  line("disk", vm->vm.disks[0].fd, "a.raw", "r");
  line("disk", vm->vm.disks[1].fd, "b.raw", "rw");
}

CAF_TEST(a vsock device is inherited as a connected socket) {
  features.push_back("vhost-user");
  auto report = vm->temp / "report";
  vm->vm.vsock_device = vm->vsock_device();
  CAF_REQUIRE(start("report=" + report + " play=exit:0"));
  CAF_CHECK_EQUAL(vm->end(), "shutdown, exit code 0");
  CAF_CHECK(has(read_file(report), "vhost-user " + std::to_string(vm->vm.vsock_device) + " "));
}

CAF_TEST(the console and the log come out apart) {
  CAF_REQUIRE(start("play=console:hello play=log:noted play=exit:0"));
  CAF_CHECK_EQUAL(vm->end(), "shutdown, exit code 0");
  CAF_CHECK_EQUAL(vm->console(), "hello\n");
  CAF_CHECK_EQUAL(vm->log(), "noted\n");
}

CAF_TEST(it is up once it is started) {
  CAF_REQUIRE(start("play=run"));
  CAF_CHECK_EQUAL(nth(vm->events, 0), "up");
}

CAF_TEST(the power button ends the guest) {
  CAF_REQUIRE(start("play=run"));
  CAF_CHECK_EQUAL(vm->ask(vmm_request::power_button), "");
  CAF_CHECK_EQUAL(vm->end(), "shutdown, exit code 0");
}

CAF_TEST(a stop without the guest counts as killed) {
  CAF_REQUIRE(start("play=ignore-power"));
  CAF_CHECK_EQUAL(vm->ask(vmm_request::power_button), "");
  CAF_CHECK_EQUAL(vm->ask(vmm_request::quit), "");
  CAF_CHECK_EQUAL(vm->end(), "killed, exit code 0");
}

CAF_TEST(suspend and resume are passed on and a refusal comes back) {
  CAF_REQUIRE(start("play=refuse-suspend"));
  CAF_CHECK_EQUAL(vm->ask(vmm_request::resume), "");
  auto refused = vm->ask(vmm_request::suspend);
  CAF_CHECK(has(refused, "crosvm suspend: unexpected response"));
  CAF_CHECK(has(refused, "devices are asleep"));
}

CAF_TEST(the balloon is set and read) {
  CAF_REQUIRE(start("play=run"));
  CAF_CHECK_EQUAL(vm->get_balloon(), "0 of 134217728");
  CAF_CHECK_EQUAL(vm->set_balloon(1 << 20), "");
  CAF_CHECK_EQUAL(vm->get_balloon(), "1048576 of 134217728");
  CAF_CHECK(has(vm->set_balloon(128 << 20), "leave the guest nothing"));
}

CAF_TEST(a crosvm that does not answer is not waited for) {
  timeouts.answer = 300ms;
  CAF_REQUIRE(start("play=no-stats"));
  CAF_CHECK(has(vm->get_balloon(), "timed out: crosvm did not answer `balloon_stats` within 300"));
}

CAF_TEST(a request that is pending when the VM ends is answered) {
  CAF_REQUIRE(start("play=no-stats"));
  mailbox<std::string> answer;
  vm->channel->get_balloon([&](auto got) { answer.put(got ? "got" : got.why().what); });
  vm->child->signal(SIGKILL);
  CAF_CHECK_EQUAL(vm->end(), "killed, signal 9");
  // Refused by the dead VM's socket, or by us, whichever comes first.
  CAF_CHECK(nth(answer, 0) != "got");
  CAF_CHECK_EQUAL(vm->ask(vmm_request::suspend), "the VM has ended");
}

CAF_TEST(a hung crosvm is ended by force) {
  timeouts.answer = 300ms;
  CAF_REQUIRE(start("play=hang"));
  CAF_CHECK(has(vm->ask(vmm_request::power_button), "timed out"));
  vm->child->signal(SIGKILL);
  CAF_CHECK_EQUAL(vm->end(), "killed, signal 9");
}

CAF_TEST(the crosvm of 2021 runs by its own command line) {
  play_2021();
  CAF_REQUIRE(start("play=console:old play=exit:32"));
  CAF_CHECK_EQUAL(vm->end(), "shutdown, exit code 0");
  CAF_CHECK_EQUAL(vm->console(), "old\n");
}

CAF_TEST(the crosvm of 2021 has no power button and says so at once) {
  play_2021();
  CAF_REQUIRE(start("play=hang"));
  CAF_CHECK_EQUAL(vm->ask(vmm_request::power_button), "this crosvm has no power button");
}

CAF_TEST(what balloon_stats prints is read or refused) {
  auto read = parse_balloon_stats(R"({"BalloonStats": {"balloon_actual": 5, "stats": {}}})", 9);
  CAF_REQUIRE(read);
  CAF_CHECK_EQUAL(read->size_bytes, 5u);
  CAF_CHECK_EQUAL(read->memory_bytes, 9u);
  for (const auto* text : {"", "{}", "[]", R"({"BalloonStats": 5})",
                           R"({"BalloonStats": {"balloon_actual": "5"}})", R"({"Err": 5})"})
    CAF_CHECK(!parse_balloon_stats(text, 9));
}

CAF_TEST_FIXTURE_SCOPE_END()
