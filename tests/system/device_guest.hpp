// SPDX-License-Identifier: Apache-2.0
// The demo guest with devices, started by the real launcher in a network of its own. Needs root.
#pragma once

#include "crosvisor/io/guest/guest_door.hpp"
#include "crosvisor/tests/io/launched_vms.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace crosvisor::tests {

/// On a host that does other things besides.
inline constexpr std::chrono::seconds device_boot_bound{240};
/// Who creates the VM.
inline constexpr std::uint32_t owner_id = 54321;

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

/// A host that nobody else is on, and one guest at a time with the demo's devices.
struct device_guest {
  huge_pages pages; // As it was, goes back.
  temp_dir dir;
  std::shared_ptr<io::guest_door> door;
  std::shared_ptr<io::vmm_launcher> launcher;
  mailbox<launch_report> reports;
  std::string shown; // What came of the guest's console.
  io::unique_fd console;
  io::vmm_confinement confinement;

  device_guest() {
    CAF_REQUIRE_EQUAL(::geteuid(), 0u);
    // Of this thread's and of those that it starts from now on.
    CAF_REQUIRE_EQUAL(::unshare(CLONE_NEWNET), 0);
    std::filesystem::permissions(dir.path(), static_cast<std::filesystem::perms>(0711));
    io::confinement_options confined;
    confined.users.emplace();
    auto made = io::vmm_confinement::make(confined, {"/usr/bin/qemu-system-x86_64"}, {});
    if (!made)
      CAF_FAIL(made.why().what);
    confinement = std::move(*made);
    auto loop = std::make_shared<io::event_loop>("test-guest");
    door = std::make_shared<io::guest_door>(loop, io::vsock_calls{});
    open();
  }

  ~device_guest() {
    launcher = nullptr;
    CAF_CHECK_EQUAL(names_in(dir / "run"), ".lock");
  }

  /// A copy that every user reaches.
  std::string within_reach(const std::string& program) const {
    auto copy = dir / std::filesystem::path{program}.filename().string();
    std::filesystem::copy_file(program, copy, std::filesystem::copy_options::overwrite_existing);
    std::filesystem::permissions(copy, static_cast<std::filesystem::perms>(0755));
    return copy;
  }

  void open() {
    io::vmm_launcher_options options;
    options.runtime_root = dir / "run";
    options.state_dir = dir / "state";
    options.vsock_program = within_reach(CROSVISOR_VSOCK_PROGRAM);
    options.share_program = within_reach(CROSVISOR_SHARE_PROGRAM);
    options.door = door;
    options.confinement = confinement;
    io::vmm_drivers drivers;
    drivers.qemu = io::make_qemu_driver(
      {vmm_kind::qemu, "/usr/bin/qemu-system-x86_64", "", {true, {}}, {"tcg"}});
    auto made = io::make_linux_vmm_launcher(options, std::move(drivers));
    CAF_REQUIRE(made);
    launcher = *made;
  }

  static file_ref add(io::launch_request& to, const std::string& path, int flags) {
    io::unique_fd fd{::open(path.c_str(), flags | O_CLOEXEC)};
    if (!fd)
      CAF_FAIL(path << ": " << std::strerror(errno));
    return {path, to.files->add(std::move(fd))};
  }

  io::launch_request request(const std::string& params) {
    io::launch_request made;
    made.cid = 2048;
    made.config.name = "demo";
    made.config.memory_mib = 128;
    made.files = std::make_shared<io::descriptor_set>();
    made.config.kernel = add(made, CROSVISOR_GUEST_DIR "/vmlinux", O_RDONLY);
    made.config.initrd = add(made, CROSVISOR_GUEST_DIR "/initramfs.cpio", O_RDONLY);
    made.config.params = "quiet crosvisor.demo=devices " + params;
    made.choice = {vmm_kind::qemu, accel_kind::tcg};
    made.owner = {caller_kind::socket, owner_id, owner_id};
    int ends[2];
    CAF_REQUIRE_EQUAL(::pipe2(ends, O_CLOEXEC), 0);
    console.reset(ends[0]);
    made.config.console = {"console", made.files->add(io::unique_fd{ends[1]})};
    return made;
  }

  std::shared_ptr<io::vmm_process> launch(io::launch_request what) {
    return launcher->launch(std::move(what), callbacks_to(reports));
  }

  /// Reads the console up to a line with these words.
  void await(const std::string& words) {
    auto end = std::chrono::steady_clock::now() + device_boot_bound;
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
    auto end = std::chrono::steady_clock::now() + device_boot_bound;
    std::vector<launch_report> told;
    do
      told = reports.wait_for([](auto& all) { return !all.empty() && all.back().what == "exit"; });
    while ((told.empty() || told.back().what != "exit") && std::chrono::steady_clock::now() < end);
    if (told.empty() || told.back().what != "exit")
      fail("no end");
    return told.back().exit;
  }

  void release(const std::shared_ptr<io::vmm_process>& vmm) {
    mailbox<bool> released;
    vmm->release([&] { released.put(true); });
    CAF_REQUIRE_EQUAL(released.wait(1).size(), 1u);
    reports.clear();
    shown.clear();
  }

  /// A directory of the VM's owner, closed to others, that leads out of itself.
  std::string shared_directory(const std::string& name) {
    auto path = dir / name;
    std::filesystem::create_directory(path);
    dir.write(name + "/greeting", "the greeting of " + name + "\n", 0600);
    dir.write("secret", "a secret of the host\n", 0600);
    std::filesystem::create_symlink("../secret", path + "/way-out");
    for (const auto& one : {path, path + "/greeting", dir / "secret"})
      CAF_REQUIRE_EQUAL(::chown(one.c_str(), owner_id, owner_id), 0);
    std::filesystem::permissions(path, static_cast<std::filesystem::perms>(0700));
    return path;
  }
};

} // namespace crosvisor::tests
