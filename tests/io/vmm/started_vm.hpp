// SPDX-License-Identifier: Apache-2.0
// A VM whose VMM is started by its driver, as the launcher does it.
#pragma once

#include "crosvisor/io/disk/composite_file.hpp"
#include "crosvisor/io/vmm/disk_server.hpp"
#include "crosvisor/io/vmm/vmm_driver.hpp"

#include "crosvisor/tests/io/leftovers.hpp"
#include "crosvisor/tests/io/temp_dir.hpp"

#include <sys/socket.h>

#include <array>
#include <optional>

namespace crosvisor::tests {

/// Lets the VMM be started, asked and waited for. What it holds is gone with it.
class started_vm {
public:
  /// What the channel has told: `up`, `fault: …`.
  mailbox<std::string> events;
  mailbox<io::exit_status> exits;
  mailbox<io::exit_status> server_exits;
  io::vm_description vm;

  started_vm() {
    vm.cid = 2048;
    vm.name = "demo";
    vm.memory_mib = 128;
    vm.cpus = 1;
    vm.console = pipe(console_in_);
    vm.log = pipe(log_in_);
    vm.failures = pipe(failures_in_);
    dir_ = *root_->make("2048");
  }

  ~started_vm() {
    child.reset();
    server.reset();
    channel.reset();
  }

  /// Adds a file with that content, and returns its descriptor.
  int file(const std::string& name, const std::string& content, bool writable = false) {
    return open(temp.write(name, content), writable);
  }

  /// Opens a file that is there.
  int open(const std::string& path, bool writable) {
    files_.emplace_back(::open(path.c_str(), (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC));
    return files_.back().get();
  }

  /// A connection to a vsock device that says nothing.
  int vsock_device() {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
      return -1;
    device_end_.reset(ends[0]);
    files_.emplace_back(ends[1]);
    return ends[1];
  }

  /// Adds a composite disk of a part that is fixed and one that can be written, each of 64 KiB.
  io::described_disk& composite_disk() {
    auto fixed = file("fixed", std::string(64u << 10, 'f'));
    auto written = file("written", std::string(64u << 10, 'w'), true);
    auto path = [](int fd) { return "/proc/self/fd/" + std::to_string(fd); };
    auto bytes = io::serialize(
      {1, {{path(fixed), 0, 0, false}, {path(written), 64u << 10, 0, true}}, 128u << 10});
    io::described_disk disk{file("composite", bytes), false, image_format::raw, true};
    disk.composite = true;
    disk.components = {fixed, written};
    vm.disks.push_back(disk);
    return vm.disks.back();
  }

  /// Starts the real server of a composite disk; whether it was.
  bool serve(io::described_disk& disk, const std::string& plugin) {
    auto ends = io::make_disk_connection();
    if (!ends)
      return complain(ends.why());
    auto command =
      io::disk_server_command({"/usr/bin/nbdkit", plugin}, disk, ends->server.get(), -1);
    auto started = io::child_process::start(loop, command, [this](auto s) { server_exits.put(s); });
    if (!started)
      return complain(started.why());
    server = std::move(*started);
    files_.push_back(std::move(ends->vmm));
    disk.server = files_.back().get();
    return true;
  }

  /// Whether it was started; else why not, in `events`.
  bool start(const io::vmm_driver& driver) {
    auto endpoint = driver.make_endpoint(*dir_);
    if (!endpoint)
      return complain(endpoint.why());
    vm.control = endpoint->vmm.get();
    vm.control_path = endpoint->path;
    auto command = driver.command(vm);
    stderr_path = temp / "stderr";
    io::unique_fd err{::open(stderr_path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600)};
    command.stderr_fd = err.get();
    auto started = io::child_process::start(loop, command, [this](auto s) { exits.put(s); });
    if (!started)
      return complain(started.why());
    child = std::move(*started);
    endpoint->vmm.reset();
    for (auto& fd : files_)
      fd.reset();
    channel = driver.connect(loop, workers, std::move(*endpoint), vm, callbacks());
    return true;
  }

  /// What a request was answered with; empty: done.
  std::string ask(io::vmm_request what) {
    mailbox<std::string> answer;
    channel->ask(what, [&](auto done) { answer.put(done ? "" : done.why().what); });
    return only(answer);
  }

  std::string set_balloon(std::uint64_t bytes) {
    mailbox<std::string> answer;
    channel->set_balloon(bytes, [&](auto done) { answer.put(done ? "" : done.why().what); });
    return only(answer);
  }

  /// `SIZE of MEMORY`, or what was wrong.
  std::string get_balloon() {
    mailbox<std::string> answer;
    channel->get_balloon([&](auto got) {
      answer.put(got ? std::to_string(got->size_bytes) + " of " + std::to_string(got->memory_bytes)
                     : got.why().what);
    });
    return only(answer);
  }

  /// Waits for the VMM's end, and says how it is read: `reason, exit code 0`.
  std::string end() {
    auto ended = exits.wait(1);
    if (ended.empty())
      return "it did not end";
    mailbox<std::string> answer;
    channel->conclude(ended.front(), [&](const vmm_exit& exit) {
      last = exit;
      answer.put(to_string(exit.reason) + ", " + to_string(exit));
    });
    return only(answer);
  }

  /// What came out of the console; after the end.
  std::string console() { return drain(console_in_); }
  std::string log() { return drain(log_in_); }
  std::string messages() const { return read_file(stderr_path); }

  temp_dir temp;
  io::event_loop loop{"test-loop"};
  io::worker_pool workers{4};
  std::shared_ptr<io::child_process> child;
  std::shared_ptr<io::child_process> server;
  std::shared_ptr<io::vmm_channel> channel;
  vmm_exit last;
  std::string stderr_path;

private:
  io::channel_callbacks callbacks() {
    return {[this] { events.put("up"); },
            [this](const std::string& what) { events.put("fault: " + what); }};
  }

  bool complain(const io::failure& why) {
    events.put(why.what);
    return false;
  }

  static std::string only(mailbox<std::string>& answer) {
    auto all = answer.wait(1);
    return all.empty() ? "no answer" : all.front();
  }

  int pipe(io::unique_fd& in) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0)
      return -1;
    in.reset(ends[0]);
    files_.emplace_back(ends[1]);
    return ends[1];
  }

  static std::string drain(io::unique_fd& in) {
    std::string text;
    std::array<char, 4096> chunk{};
    for (ssize_t n; (n = ::read(in.get(), chunk.data(), chunk.size())) > 0;)
      text.append(chunk.data(), static_cast<std::size_t>(n));
    return text;
  }

  std::shared_ptr<io::runtime_root> root_ = *io::runtime_root::open(temp / "run");
  std::unique_ptr<io::runtime_dir> dir_;
  std::vector<io::unique_fd> files_;
  io::unique_fd console_in_;
  io::unique_fd log_in_;
  io::unique_fd failures_in_;
  io::unique_fd device_end_;
};

} // namespace crosvisor::tests
