// SPDX-License-Identifier: Apache-2.0
// The demo guest with devices, started by the real launcher: what it sees of them, and what of it
// reaches the host. All of this needs root: a network, huge pages, and users of VMs' own.
#include "crosvisor/io/file_bytes.hpp"
#include "crosvisor/io/guest/guest_door.hpp"
#include "crosvisor/io/listening_socket.hpp"
#include "crosvisor/io/tap_interface.hpp"
#include "crosvisor/tests/io/launched_vms.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/stat.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>

#undef CAF_SUITE
#define CAF_SUITE guest.devices

using namespace crosvisor;
using namespace crosvisor::io;
using namespace crosvisor::tests;
using namespace std::chrono_literals;

namespace fs = std::filesystem;

namespace {

/// On a host that does other things besides.
constexpr auto boot_bound = 240s;
constexpr std::uint32_t owner_id = 54321;
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

/// The number of the host's huge pages.
class huge_pages {
public:
  huge_pages() : before_(read_file(path)) {}
  huge_pages(const huge_pages&) = delete;
  huge_pages& operator=(const huge_pages&) = delete;
  ~huge_pages() { std::ofstream{path} << before_; }

  /// Asks for so many, and says how many there are.
  static int set(int wanted) {
    std::ofstream{path} << wanted;
    return std::atoi(read_file(path).c_str());
  }

private:
  static constexpr auto path = "/proc/sys/vm/nr_hugepages";
  std::string before_;
};

struct fixture {
  huge_pages pages; // As it was, goes back.
  temp_dir dir;
  std::shared_ptr<guest_door> door;
  std::shared_ptr<vmm_launcher> launcher;
  mailbox<launch_report> reports;
  std::string shown; // What came of the guest's console.
  unique_fd console;
  vmm_confinement confinement;

  fixture() {
    CAF_REQUIRE_EQUAL(::geteuid(), 0u);
    // Of this thread's and of those that it starts from now on.
    CAF_REQUIRE_EQUAL(::unshare(CLONE_NEWNET), 0);
    fs::permissions(dir.path(), static_cast<fs::perms>(0711));
    confinement_options confined;
    confined.users.emplace();
    auto made = vmm_confinement::make(confined, {"/usr/bin/qemu-system-x86_64"}, {});
    if (!made)
      CAF_FAIL(made.why().what);
    confinement = std::move(*made);
    auto loop = std::make_shared<event_loop>("test-guest");
    door = std::make_shared<guest_door>(loop, vsock_calls{});
    open();
  }

  ~fixture() {
    launcher = nullptr;
    CAF_CHECK_EQUAL(names_in(dir / "run"), ".lock");
  }

  /// A copy that every user reaches.
  std::string within_reach(const std::string& program) const {
    auto copy = dir / fs::path{program}.filename().string();
    fs::copy_file(program, copy, fs::copy_options::overwrite_existing);
    fs::permissions(copy, static_cast<fs::perms>(0755));
    return copy;
  }

  void open() {
    vmm_launcher_options options;
    options.runtime_root = dir / "run";
    options.state_dir = dir / "state";
    options.vsock_program = within_reach(CROSVISOR_VSOCK_PROGRAM);
    options.share_program = within_reach(CROSVISOR_SHARE_PROGRAM);
    options.door = door;
    options.confinement = confinement;
    vmm_drivers drivers;
    drivers.qemu =
      make_qemu_driver({vmm_kind::qemu, "/usr/bin/qemu-system-x86_64", "", {true, {}}, {"tcg"}});
    auto made = make_linux_vmm_launcher(options, std::move(drivers));
    CAF_REQUIRE(made);
    launcher = *made;
  }

  static file_ref add(launch_request& to, const std::string& path, int flags) {
    unique_fd fd{::open(path.c_str(), flags | O_CLOEXEC)};
    if (!fd)
      CAF_FAIL(path << ": " << std::strerror(errno));
    return {path, to.files->add(std::move(fd))};
  }

  launch_request request(const std::string& params) {
    launch_request made;
    made.cid = 2048;
    made.config.name = "demo";
    made.config.memory_mib = 128;
    made.files = std::make_shared<descriptor_set>();
    made.config.kernel = add(made, CROSVISOR_GUEST_DIR "/vmlinux", O_RDONLY);
    made.config.initrd = add(made, CROSVISOR_GUEST_DIR "/initramfs.cpio", O_RDONLY);
    made.config.params = "quiet crosvisor.demo=devices " + params;
    made.choice = {vmm_kind::qemu, accel_kind::tcg};
    made.owner = {caller_kind::socket, owner_id, owner_id};
    int ends[2];
    CAF_REQUIRE_EQUAL(::pipe2(ends, O_CLOEXEC), 0);
    console.reset(ends[0]);
    made.config.console = {"console", made.files->add(unique_fd{ends[1]})};
    return made;
  }

  std::shared_ptr<vmm_process> launch(launch_request what) {
    vmm_callbacks to;
    to.on_up = [this](int pid) { reports.put({"up", pid, {}, {}, {}}); };
    to.on_launch_failed = [this](launch_failure where, std::string words) {
      reports.put({"failed", 0, where, std::move(words), {}});
    };
    to.on_fault = [this](std::string words) {
      reports.put({"fault", 0, {}, std::move(words), {}});
    };
    to.on_exit = [this](vmm_exit exit) { reports.put({"exit", 0, {}, {}, std::move(exit)}); };
    return launcher->launch(std::move(what), std::move(to));
  }

  /// Reads the console up to a line with these words.
  void await(const std::string& words) {
    auto end = std::chrono::steady_clock::now() + boot_bound;
    pollfd ready{console.get(), POLLIN, 0};
    while (shown.find(words) == shown.npos) {
      char bytes[4096];
      auto got = std::chrono::steady_clock::now() < end && ::poll(&ready, 1, 240'000) == 1
                   ? ::read(console.get(), bytes, sizeof bytes)
                   : 0;
      if (got <= 0)
        fail("no \"" + words + '"');
      shown.append(bytes, static_cast<std::size_t>(got));
    }
  }

  [[noreturn]] void fail(const std::string& what) {
    std::string told;
    for (const auto& report : reports.wait(3))
      told += report.what + ' ' + report.words + report.exit.detail + '\n';
    CAF_FAIL(what << " in\n"
                  << shown << "\nand of it was told\n"
                  << told << "\nvmm.log:\n"
                  << log("vmm.log"));
    std::abort();
  }

  void check_shown(const std::string& line) {
    if (shown.find("demo: " + line + "\r\n") == shown.npos)
      CAF_ERROR("the console has no \"" << line << "\" but\n" << shown);
    else
      CAF_CHECK(true);
  }

  std::string log(const std::string& name) {
    return read_file(dir / ("state/logs/2048-demo/" + name));
  }

  vmm_exit await_exit() {
    auto end = std::chrono::steady_clock::now() + boot_bound;
    std::vector<launch_report> told;
    do
      told = reports.wait_for([](auto& all) { return !all.empty() && all.back().what == "exit"; });
    while ((told.empty() || told.back().what != "exit") && std::chrono::steady_clock::now() < end);
    if (told.empty() || told.back().what != "exit")
      fail("no end");
    return told.back().exit;
  }

  void release(const std::shared_ptr<vmm_process>& vmm) {
    mailbox<bool> released;
    vmm->release([&] { released.put(true); });
    CAF_REQUIRE_EQUAL(released.wait(1).size(), 1u);
    reports.clear();
    shown.clear();
  }

  /// A directory of the VM's owner, closed to others, that leads out of itself.
  std::string shared_directory(const std::string& name) {
    auto path = dir / name;
    fs::create_directory(path);
    dir.write(name + "/greeting", "the greeting of " + name + "\n", 0600);
    dir.write("secret", "a secret of the host\n", 0600);
    fs::create_symlink("../secret", path + "/way-out");
    for (const auto& one : {path, path + "/greeting", dir / "secret"})
      CAF_REQUIRE_EQUAL(::chown(one.c_str(), owner_id, owner_id), 0);
    fs::permissions(path, static_cast<fs::perms>(0700));
    return path;
  }
};

void run_or_fail(const char* command) {
  if (std::system(command) != 0)
    CAF_FAIL("failed: " << command);
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(guest_devices_tests, fixture)

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
  devices.shared_directories = {
    {"shared", add(what, shared_directory("shared"), O_RDONLY | O_DIRECTORY), false},
    {"kept", add(what, shared_directory("kept"), O_RDONLY | O_DIRECTORY), true}};
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
  check_shown("pstore by erst");
  check_shown("crash file 2 sent");

  auto exit = await_exit();
  CAF_CHECK(exit.reason == death_reason::crash);
  CAF_CHECK(exit.detail.ends_with("; 2 crash files came"));
  CAF_CHECK_EQUAL(log("crash.log"), "crash 2 of the guest\n");
  CAF_CHECK_EQUAL(log("crash.log.1"), "crash 1 of the guest\n");
  release(vmm);

  // The record is what the next boot finds; this one has huge pages, and no random numbers.
  if (auto had = huge_pages::set(64); had < 64)
    CAF_FAIL("the host has " << had << " huge pages of 64");
  auto next = request("");
  next.config.devices.pstore = add(next, pstore, O_RDWR);
  next.config.devices.hugepages = true;
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
