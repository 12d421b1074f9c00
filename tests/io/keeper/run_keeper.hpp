// SPDX-License-Identifier: Apache-2.0
// A real keeper with a stand-in for QEMU, and what a service says to it.
#pragma once

#include "crosvisor/io/child_process.hpp"
#include "crosvisor/io/disk/memory_file.hpp"
#include "crosvisor/io/keeper/keeper_launch.hpp"
#include "crosvisor/io/keeper/keeper_protocol.hpp"
#include "crosvisor/io/keeper/keeper_record.hpp"
#include "crosvisor/io/tickets/descriptor_packet.hpp"
#include "crosvisor/tests/io/guest/sockets.hpp"
#include "crosvisor/tests/io/leftovers.hpp"
#include "crosvisor/tests/io/temp_dir.hpp"

#include <caf/test/dsl.hpp>
#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include <csignal>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace crosvisor::tests {

using nlohmann::json;

/// What a sanitizer has of its own, at most.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr long sanitizer_kib = 1 << 20;
#else
constexpr long sanitizer_kib = 0;
#endif

inline bool happens(int fd, short what, std::chrono::milliseconds bound = patience) {
  pollfd ready{fd, what, 0};
  return ::poll(&ready, 1, static_cast<int>(bound.count())) == 1;
}

struct heard_packet {
  json body; ///< Null: the connection has ended.
  std::string bytes;
  std::vector<io::unique_fd> fds;

  std::string type() const { return body.is_object() ? body.value("type", "") : "end"; }
};

/// A service's end of a connection.
class played_service {
public:
  explicit played_service(io::unique_fd socket) : socket_(std::move(socket)) {}

  int fd() const { return socket_.get(); }
  void leave() { socket_.reset(); }

  heard_packet hear() {
    heard_packet heard;
    if (!happens(fd(), POLLIN))
      return heard;
    auto got = io::receive_packet(fd(), io::max_keeper_packet_bytes);
    if (!got || got->text.empty())
      return heard;
    auto nul = std::min(got->text.find('\0'), got->text.size());
    heard.body = json::parse(got->text.substr(0, nul), nullptr, false);
    heard.bytes = nul < got->text.size() ? got->text.substr(nul + 1) : "";
    heard.fds = std::move(got->fds);
    return heard;
  }

  /// The next packet of that type; those before it are dropped. Or the end.
  heard_packet hear(const std::string& type) {
    for (;;)
      if (auto heard = hear(); heard.type() == type || heard.body.is_null())
        return heard;
  }

  /// The types of the packets up to and with that one.
  std::string types_until(const std::string& type) {
    for (std::string types;;) {
      auto heard = hear();
      types += (types.empty() ? "" : " ") + heard.type();
      if (heard.type() == type || heard.body.is_null())
        return types;
    }
  }

  bool say(const json& body, const std::vector<int>& fds = {}) { return say(body.dump(), fds); }
  bool say(const std::string& text, const std::vector<int>& fds = {}) {
    return static_cast<bool>(io::send_packet(fd(), text, fds.data(), fds.size()));
  }

  /// Asks, and what the answer is: empty: done; else its words. Leaves out all before it.
  std::string ask(json body) {
    body["id"] = ++last_id_;
    if (!say(body))
      return "(not said)";
    for (;;) {
      auto heard = hear("answer");
      if (heard.body.is_null())
        return "(no answer)";
      if (heard.body.value("id", 0) == last_id_)
        return heard.body.value("what", "(no words)");
    }
  }

private:
  io::unique_fd socket_;
  int last_id_ = 0;
};

inline io::unique_fd pidfd_of(int pid) {
  return io::unique_fd{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))};
}

/// Whether the process of a pidfd ends.
inline bool ends(const io::unique_fd& process) {
  return happens(process.get(), POLLIN);
}

struct run_keeper_fixture {
  static constexpr vm_cid cid = 2048;

  holdings before;
  temp_dir dir;
  std::string state = dir / "state";
  std::string socket = dir / "k.socket";
  io::keeper_launch launch;
  std::unique_ptr<io::event_loop> loop = std::make_unique<io::event_loop>("keeper-test");
  std::shared_ptr<io::child_process> keeper;
  mailbox<std::string> ended;

  run_keeper_fixture() {
    std::filesystem::create_directory(state);
    std::filesystem::permissions(state, std::filesystem::perms{0700});
  }

  ~run_keeper_fixture() {
    if (keeper)
      keeper->signal(SIGKILL);
    if (keeper)
      ended.wait(1);
    keeper = nullptr;
    loop = nullptr;
    launch = {};
    CAF_CHECK_EQUAL(to_string(holdings{}), to_string(before));
  }

  void prepare(const std::string& play) {
    auto& request = launch.request;
    request.cid = cid;
    request.config.name = "demo";
    request.config.kernel = {"vmlinux", 0};
    request.config.params = play;
    request.choice = {vmm_kind::qemu, accel_kind::tcg};
    request.files = std::make_shared<io::descriptor_set>();
    auto kernel = dir.write("vmlinux", "kernel");
    request.files->add(io::unique_fd{::open(kernel.c_str(), O_RDONLY | O_CLOEXEC)});
    launch.vmm = {vmm_kind::qemu, STAND_IN_QEMU, "", {true, {}}, {"tcg"}};
    launch.how.runtime_root = dir / "run";
    launch.how.state_dir = state;
    launch.boot_id = "this-boot";
    launch.launched_ms = 4711;
    launch.socket_path = socket;
  }

  /// Executes it, and is the service that did.
  /// @param gone the service ends before.
  played_service execute(bool gone = false) {
    auto text = io::make_memory_file("launch", io::encode_keeper_launch(launch));
    CAF_REQUIRE(text);
    auto record = io::keeper_record::make(state, cid);
    CAF_REQUIRE(record);
    CAF_REQUIRE(record->write_launch(io::encode_keeper_launch(launch)));
    connected_pair ends{SOCK_SEQPACKET};
    if (gone)
      ends.far.reset();
    io::child_command command;
    command.program = KEEPER;
    command.argv = {KEEPER,
                    "--launch-fd",
                    std::to_string(text->get()),
                    "--service-fd",
                    std::to_string(ends.near->get()),
                    "--record-fd",
                    std::to_string(record->fd())};
    command.inherited = io::descriptors_of(launch);
    for (auto fd : {text->get(), ends.near->get(), record->fd()})
      command.inherited.push_back(fd);
    command.stderr_fd = STDERR_FILENO;
    auto started = io::child_process::start(*loop, command, [this](io::exit_status status) {
      ended.put(to_string(vmm_exit{status.kind, status.value, {}, {}}));
    });
    CAF_REQUIRE(started);
    keeper = std::move(*started);
    launch.request.files = nullptr;
    return played_service{std::move(ends.far)};
  }

  played_service start(const std::string& play = "play=up") {
    prepare(play);
    return execute();
  }

  /// The next service. It waits in the backlog as long as another one is there.
  played_service connect() {
    io::unique_fd made{::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    socket.copy(address.sun_path, sizeof(address.sun_path) - 1);
    CAF_REQUIRE_EQUAL(::connect(made.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)),
                      0);
    return played_service{std::move(made)};
  }

  /// How the keeper ended, once it has.
  std::string end() {
    auto all = ended.wait(1);
    keeper = nullptr;
    return all.empty() ? "it runs" : all.front();
  }

  /// Ends the VM, and the keeper with it.
  void release(played_service& service) {
    service.say({{"type", "signal"}, {"number", SIGKILL}});
    CAF_CHECK_EQUAL(service.hear("exit").type(), "exit");
    CAF_CHECK_EQUAL(service.ask({{"type", "release"}}), "");
    CAF_CHECK_EQUAL(end(), "exit code 0");
  }

  /// But logs.
  void check_nothing_left() {
    CAF_CHECK_EQUAL(names_in(dir.path()), "state vmlinux");
    CAF_CHECK_EQUAL(names_in(state + "/keepers"), "");
  }

  std::string record(const std::string& name) { return read_file(state + "/keepers/2048/" + name); }

  /// A line of /proc/PID/status of the keeper's, its number.
  long status(const std::string& key) {
    std::ifstream lines{"/proc/" + std::to_string(keeper->pid()) + "/status"};
    for (std::string line; std::getline(lines, line);)
      if (line.rfind(key + ":", 0) == 0)
        return std::atol(line.c_str() + key.size() + 1);
    return -1;
  }

  /// Whether VMs can have users of their own here; else says why it isn't tried.
  bool confine() {
    launch.confinement.users = io::vmm_user_range{};
    auto able = io::check_vmm_users(*launch.confinement.users);
    if (able)
      able = io::check_reach(STAND_IN_QEMU, io::file_use::execute);
    if (!able)
      CAF_MESSAGE("not tried: " << able.why().what);
    return static_cast<bool>(able);
  }

  std::size_t descriptors() {
    auto path = "/proc/" + std::to_string(keeper->pid()) + "/fd";
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator{path}, {}));
  }
};

} // namespace crosvisor::tests
