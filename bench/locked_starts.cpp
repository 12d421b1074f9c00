// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/bench/locked_starts.hpp"

#include "crosvisor/bench/measure.hpp"
#include "crosvisor/io/log/console_log.hpp"
#include "crosvisor/io/vm_files.hpp"

#include <condition_variable>
#include <thread>

namespace crosvisor::bench {

namespace {

/// Counts down to zero, and waits for that within a bound.
class countdown {
public:
  explicit countdown(std::size_t left) : left_(left) {}

  void count() {
    std::lock_guard lock{mutex_};
    if (left_ > 0 && --left_ == 0)
      reached_.notify_all();
  }

  bool wait() {
    std::unique_lock lock{mutex_};
    return reached_.wait_for(lock, patience, [this] { return left_ == 0; });
  }

private:
  std::mutex mutex_;
  std::condition_variable reached_;
  std::size_t left_;
};

} // namespace

// Shared with the threads and with callbacks, which may come late when something failed.
struct locked_starts::round {
  explicit round(std::size_t count) : ready(count), up(count), ended(count) {}

  void fail(const std::string& why) {
    {
      std::lock_guard lock{mutex};
      failed = why;
    }
    up.count();
    ended.count();
  }

  countdown ready, go{1}, up, over{1}, ended;
  std::mutex mutex;
  std::string failed;
};

struct locked_starts::running_vm {
  std::shared_ptr<round> now;
  vm_config config;
  vm_files files;
  vm_cid cid = no_cid;
  std::unique_ptr<io::runtime_dir> dir;
  io::log_dir log_dir;
  std::shared_ptr<io::console_log> console, log, output;
  io::control_endpoint control;
  io::vm_description description;
  std::shared_ptr<io::child_process> child;
  std::shared_ptr<io::vmm_channel> channel;
};

locked_starts::locked_starts(const io::vmm_driver& driver, const std::string& folder)
    : driver_(driver) {
  std::filesystem::create_directory(folder);
  root_ = need(io::runtime_root::open(folder + "/run"));
  logs_ = need(io::log_store::open(folder + "/state", 64));
}

// What the service's launch does, in its order.
void locked_starts::start(running_vm& vm) {
  need(io::check_vm_files(vm.config, *vm.files, vmm_kind::qemu));
  auto files = need(io::describe_vm_files(vm.config, *vm.files));
  auto& into = vm.description;
  into.name = vm.config.name;
  into.memory_mib = vm.config.memory_mib;
  into.cpus = vm.config.cpus;
  into.params = vm.config.params;
  into.kernel = files.kernel;
  need(driver_.check(into));
  vm.dir = need(root_->make(std::to_string(vm.cid)));
  vm.log_dir = need(logs_->make(vm.cid, vm.config.name));
  vm.console = need(io::log_to_files(log_loop_, vm.log_dir.fd, "console.log", {}));
  vm.log = need(io::log_to_files(log_loop_, vm.log_dir.fd, "log.log", {}));
  vm.output = need(io::log_to_files(log_loop_, vm.log_dir.fd, "vmm.log", {}));
  vm.control = need(driver_.make_endpoint(*vm.dir));
  into.control = vm.control.vmm.get();
  into.console = vm.console->writer();
  into.log = vm.log->writer();
  auto command = driver_.command(into);
  command.stdout_fd = command.stderr_fd = vm.output->writer();
  vm.child = need(io::child_process::start(
    loop_, command, [now = vm.now](io::exit_status) { now->ended.count(); }));
  vm.control.vmm.reset();
  for (auto* log : {&vm.console, &vm.log, &vm.output})
    (*log)->close_writer();
  vm.files->clear();
}

// One caller's thread. It outlives its child, which the kernel would kill with it.
void locked_starts::call(const std::shared_ptr<round>& now, stand_in& from, vm_cid cid) {
  running_vm vm;
  vm.now = now;
  vm.config = from.config;
  vm.files = std::move(from.files);
  vm.cid = cid;
  now->ready.count();
  now->go.wait();
  try {
    std::lock_guard lock{lock_};
    start(vm);
  } catch (const std::exception& error) {
    return now->fail(error.what());
  }
  vm.channel = driver_.connect(loop_, workers_, std::move(vm.control), vm.description,
                               {[now] { now->up.count(); }, [](const std::string&) {}});
  now->over.wait();
  logs_->retire(vm.log_dir.name);
}

std::int64_t locked_starts::run(std::vector<stand_in>& vms) {
  auto now = std::make_shared<round>(vms.size());
  std::vector<std::thread> callers;
  for (auto& vm : vms) {
    auto cid = static_cast<vm_cid>(callers.size() + 3);
    callers.emplace_back([this, now, &vm, cid] { call(now, vm, cid); });
  }
  auto in_time = now->ready.wait();
  auto began = now_ns();
  now->go.count();
  in_time = now->up.wait() && in_time;
  now->over.count();
  for (auto& caller : callers)
    caller.join();
  in_time = now->ended.wait() && in_time;
  if (!now->failed.empty())
    throw std::runtime_error("a start under the lock failed: " + now->failed);
  if (!in_time)
    throw std::runtime_error("starts under the lock took too long");
  return began;
}

} // namespace crosvisor::bench
