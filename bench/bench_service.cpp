// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/bench/bench_service.hpp"

#include "crosvisor/bench/measure.hpp"
#include "crosvisor/io/config/open_vm_files.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <iostream>
#include <thread>

namespace crosvisor::bench {

namespace {

embedded_service_options options_in(const tests::temp_dir& folder, const std::string& qemu,
                                    const std::string& vsock_device, const std::string& keeper) {
  embedded_service_options options;
  options.where = {folder / "run", folder / "state"};
  options.qemu = qemu;
  options.vsock_device = vsock_device;
  options.disk_plugin = CROSVISOR_DISK_PLUGIN;
  // What a bare spawn has; and a stand-in could not write its stamp as a user of its own.
  options.confinement = io::confinement_options{};
  options.keepers = !keeper.empty();
  options.keeper = keeper;
  return options;
}

[[noreturn]] void fail(const caf::error& why) {
  throw std::runtime_error(sentence_of(why));
}

/// Sends `ask(vm)` for all, then waits for each answer.
template <class Ask>
void ask_all(const std::vector<vm_actor>& vms, Ask ask) {
  std::vector<decltype(ask(vms.front()))> asked;
  for (const auto& vm : vms)
    asked.push_back(ask(vm));
  std::string why;
  for (auto& answer : asked)
    answer.receive([](const vm_info&) {}, [&](const caf::error& no) { why = sentence_of(no); });
  if (!why.empty())
    throw std::runtime_error(why);
}

} // namespace

bench_service::bench_service(const std::string& qemu, const std::string& vsock_device,
                             const std::string& keeper)
    : service_(need(embedded_service::start(options_in(folder_, qemu, vsock_device, keeper)))),
      self_(std::make_unique<caf::scoped_actor>(service_->system())) {}

bench_service::~bench_service() {
  shut_down();
}

void bench_service::shut_down() {
  if (!service_)
    return;
  self_ = nullptr;
  if (auto left = service_->shut_down())
    std::cerr << "crosvisor-bench: the service left VMs behind: " << *left << '\n';
  service_ = nullptr;
}

vm_actor bench_service::create(vm_config config, vm_files files) {
  vm_actor made;
  (*self_)
    ->request(service_->handle(), patience, create_atom::value, std::move(config), std::move(files))
    .receive([&](const vm_actor& vm, const vm_info&) { made = vm; }, fail);
  return made;
}

watched_vm bench_service::create_watched(vm_config config, const std::string& folder) {
  auto files = need(io::open_vm_files(config, folder));
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    throw std::runtime_error(io::last_failure("pipe").what);
  io::unique_fd console{ends[0]};
  config.console = {"the bench's console", files->add(io::unique_fd{ends[1]})};
  return {create(std::move(config), std::move(files)), std::move(console)};
}

vm_info bench_service::start(const vm_actor& vm) {
  vm_info started;
  (*self_)
    ->request(vm, patience, start_atom::value)
    .receive([&](const vm_info& info) { started = info; }, fail);
  return started;
}

void bench_service::start(const std::vector<vm_actor>& vms) {
  ask_all(vms,
          [&](const vm_actor& vm) { return (*self_)->request(vm, patience, start_atom::value); });
}

void bench_service::kill(const std::vector<vm_actor>& vms) {
  ask_all(vms,
          [&](const vm_actor& vm) { return (*self_)->request(vm, patience, kill_atom::value); });
}

// A dead VM's directory goes last.
void bench_service::settle() const {
  auto until = std::chrono::steady_clock::now() + patience;
  auto busy = [&] {
    for (const auto& process : std::filesystem::directory_iterator{folder_ / "run"})
      if (process.is_directory())
        for (const auto& vm : std::filesystem::directory_iterator{process.path()})
          if (vm.is_directory())
            return true;
    return false;
  };
  while (busy()) {
    if (std::chrono::steady_clock::now() > until)
      throw std::runtime_error("a dead VM's runtime directory stays");
    // The workers that remove directories tell only the actor of the VM, which is gone.
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
  }
}

} // namespace crosvisor::bench
