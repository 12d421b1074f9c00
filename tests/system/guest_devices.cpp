// SPDX-License-Identifier: Apache-2.0
// The demo guest with devices, started by the real launcher: what it sees of them, and what of it
// reaches the host. All of this needs root: a network, huge pages, and users of VMs' own.
#include "crosvisor/io/file_bytes.hpp"
#include "crosvisor/io/listening_socket.hpp"
#include "crosvisor/io/tap_interface.hpp"
#include "crosvisor/tests/system/device_guest.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <thread>

#undef CAF_SUITE
#define CAF_SUITE guest.devices

using namespace crosvisor;
using namespace crosvisor::io;
using namespace crosvisor::tests;
using namespace std::chrono_literals;

namespace {

constexpr std::uint16_t gdb_port = 2159;

/// The connection to a port, tried until it is open.
unique_fd connect_to(const char* address, std::uint16_t port) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  ::inet_pton(AF_INET, address, &to.sin_addr);
  for (auto end = std::chrono::steady_clock::now() + 60s; std::chrono::steady_clock::now() < end;) {
    unique_fd fd{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&to), sizeof to) == 0)
      return fd;
    std::this_thread::sleep_for(50ms); // Nobody tells when the guest's port is open.
  }
  CAF_FAIL("nobody answers at " << address << ':' << port);
  return {};
}

std::string read_line(const unique_fd& from, char last = '\n') {
  std::string line;
  pollfd ready{from.get(), POLLIN, 0};
  for (char c = 0; c != last && ::poll(&ready, 1, 60'000) == 1 && ::read(from.get(), &c, 1) == 1;)
    line += c;
  return line;
}

/// The next packet of gdb's remote protocol, without its frame.
std::string hear_gdb(const unique_fd& gdb) {
  auto packet = read_line(gdb, '#');
  char sum[2];
  CAF_REQUIRE(::read(gdb.get(), sum, 1) == 1 && ::read(gdb.get(), sum + 1, 1) == 1);
  CAF_REQUIRE(::write(gdb.get(), "+", 1) == 1);
  auto begin = packet.find('$');
  return begin == packet.npos ? packet : packet.substr(begin + 1, packet.size() - begin - 2);
}

/// Sends one, and waits for the one that begins like its answer: that the guest was stopped is told
/// unasked, too.
bool gdb_answers(const unique_fd& gdb, const std::string& what, const std::string& answer) {
  unsigned sum = 0;
  for (auto c : what)
    sum += static_cast<unsigned char>(c);
  std::array<char, 8> end{};
  std::snprintf(end.data(), end.size(), "#%02x", sum & 0xff);
  auto packet = '$' + what + end.data();
  if (::write(gdb.get(), packet.data(), packet.size()) != static_cast<ssize_t>(packet.size()))
    return false;
  constexpr int most_unasked = 2;
  for (auto i = 0; i <= most_unasked; ++i)
    if (hear_gdb(gdb).starts_with(answer))
      return true;
  return false;
}

void run_or_fail(const char* command) {
  if (std::system(command) != 0)
    CAF_FAIL("failed: " << command);
}

/// Not in a chroot, nor where the host forbids them (unshare(2)); then directories can't be shared.
bool has_user_namespaces() {
  auto child = ::fork();
  if (child == 0)
    ::_exit(::unshare(CLONE_NEWUSER) == 0 ? 0 : 1);
  int status = 1;
  return child > 0 && ::waitpid(child, &status, 0) == child && status == 0;
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(guest_devices_tests, device_guest)

CAF_TEST(a guest has the devices that it was given and no more of the host) {
  run_or_fail("ip link set lo up && ip tuntap add dev tap0 mode tap && "
              "ip address add 10.77.0.1/24 dev tap0 && ip link set tap0 up");
  auto pstore = dir.write("pstore", std::string(64u << 10, '\0'), 0600);
  auto what = request("crosvisor.address=10.77.0.2 crosvisor.crash=2 crosvisor.then=panic");
  what.config.cpus = 4;
  auto& devices = what.config.devices;
  devices.topology = {1, 2, 2};
  devices.gdb_port = gdb_port;
  auto tap = open_tap("tap0");
  CAF_REQUIRE(tap);
  devices.network = {{"tap0", what.files->add(std::move(*tap))}, ""};
  auto shares = has_user_namespaces();
  if (shares)
    devices.shared_directories = {
      {"shared", add(what, shared_directory("shared"), O_RDONLY | O_DIRECTORY), false},
      {"kept", add(what, shared_directory("kept"), O_RDONLY | O_DIRECTORY), true}};
  else
    std::cerr << "no user namespaces here: shared directories are not tested\n";
  devices.pstore = add(what, pstore, O_RDWR);
  auto vmm = launch(std::move(what));

  await("demo: port 7001 is open");
  check_shown("network card 52:54:00:00:08:00");
  auto gdb = connect_to("127.0.0.1", gdb_port);
  CAF_CHECK(gdb_answers(gdb, "qSupported", "PacketSize="));
  CAF_CHECK(gdb_answers(gdb, "?", "T0"));
  CAF_CHECK(gdb_answers(gdb, "D", "OK")); // The guest goes on.
  auto peer = connect_to("10.77.0.2", 7001);
  CAF_CHECK_EQUAL(read_line(peer), "hello from the guest\n");
  CAF_REQUIRE(::write(peer.get(), "the host\n", 9) == 9);
  peer.reset();
  await("demo: devices shown");
  check_shown("the host said the host");
  check_shown("cpu0 socket 0 core 0 threads 0-1");
  check_shown("cpu3 socket 0 core 1 threads 2-3");
  check_shown("random numbers from virtio_rng.0 "); // As the kernel has it.
  if (shares) {
    check_shown("shared has the greeting of shared");
    check_shown("shared can't be written");
    check_shown("shared ends at its top");
    check_shown("kept has the greeting of kept");
    check_shown("kept is written");
    CAF_CHECK(shown.find("secret") == shown.npos);
    CAF_CHECK_EQUAL(names_in(dir / "shared"), "greeting way-out");
    CAF_CHECK_EQUAL(read_file(dir / "kept/answer"), "from the guest\n");
    struct stat answer {};
    CAF_REQUIRE_EQUAL(::stat((dir / "kept/answer").c_str(), &answer), 0);
    CAF_CHECK_EQUAL(answer.st_uid, owner_id);
  }
  check_shown("pstore by erst");
  check_shown("crash file 2 sent");

  auto exit = await_exit();
  CAF_CHECK(exit.reason == death_reason::crash);
  CAF_CHECK(exit.detail.ends_with("; 2 crash files came"));
  CAF_CHECK_EQUAL(log("crash.log"), "crash 2 of the guest\n");
  CAF_CHECK_EQUAL(log("crash.log.1"), "crash 1 of the guest\n");
  release(vmm);

  // The record is what the next boot finds; this one has huge pages, and no random numbers.
  auto had = huge_pages::set(64);
  if (had < 64)
    std::cerr << "this host gives " << had << " huge pages of 64: they are not tested\n";
  auto next = request("");
  next.config.devices.pstore = add(next, pstore, O_RDWR);
  next.config.devices.hugepages = had >= 64;
  next.config.devices.rng = false;
  auto second = launch(std::move(next));
  await("demo: devices shown");
  check_shown("pstore has a record: Kernel panic - not syncing: sysrq triggered crash");
  check_shown("random numbers from ");
  check_shown("no network card");
  CAF_CHECK_EQUAL(await_exit().detail.find("crash file"), std::string::npos);
  release(second);
}

CAF_TEST(what the host does not have is refused before there is a process) {
  huge_pages::set(0);
  auto what = request("");
  what.config.devices.hugepages = true;
  auto vmm = launch(std::move(what));
  auto told = reports.wait(1);
  CAF_REQUIRE_EQUAL(told.size(), 1u);
  CAF_CHECK_EQUAL(told[0].what, "failed");
  CAF_CHECK_EQUAL(told[0].words,
                  "hugepages: 64 of 2048 KiB are needed and 0 are free; raise vm.nr_hugepages");
  release(vmm);
  auto taken = request("");
  auto port = listen_tcp("127.0.0.1", gdb_port + 1);
  CAF_REQUIRE(port);
  taken.config.devices.gdb_port = gdb_port + 1;
  vmm = launch(std::move(taken));
  told = reports.wait(1);
  CAF_REQUIRE_EQUAL(told.size(), 1u);
  CAF_CHECK_EQUAL(told[0].what, "failed");
  CAF_CHECK(told[0].words.starts_with("gdb: "));
  release(vmm);
}

CAF_TEST_FIXTURE_SCOPE_END()
