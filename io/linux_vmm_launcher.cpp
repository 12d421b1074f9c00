// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/linux_vmm_launcher.hpp"

#include "crosvisor/io/held_process.hpp"
#include "crosvisor/io/linux_vmm.hpp"
#include "crosvisor/io/linux_vmm_host.hpp"
#include "crosvisor/io/logging.hpp"

#include <cerrno>
#include <csignal>
#include <exception>

namespace crosvisor::io {

namespace {

constexpr std::chrono::seconds closing_bound{10};

class linux_vmm_launcher final : public vmm_launcher {
public:
  explicit linux_vmm_launcher(std::unique_ptr<linux_vmm_host> host) : host_(std::move(host)) {}
  ~linux_vmm_launcher() override { host_->living->close(closing_bound); }

  std::shared_ptr<vmm_process> launch(launch_request request, vmm_callbacks callbacks) override {
    auto vmm = std::make_shared<linux_vmm>(*host_, std::move(callbacks));
    host_->living->add(vmm.get());
    host_->starters.post(
      [vmm, request = std::move(request)]() mutable { vmm->launch(std::move(request)); });
    return std::make_shared<held_process<linux_vmm>>(std::move(vmm));
  }

  std::shared_ptr<vmm_process> adopt(vm_cid, std::shared_ptr<guest_streams>,
                                     vmm_callbacks) override {
    return nullptr; // None outlives this process.
  }

  std::shared_ptr<vmm_process> adopt_last(vm_cid) override { return nullptr; }

  void leave() override {}

private:
  std::unique_ptr<linux_vmm_host> host_;
};

} // namespace

void living_vmms::add(linux_vmm* vmm) {
  std::lock_guard lock{mutex_};
  vmms_.insert(vmm);
}

void living_vmms::remove(linux_vmm* vmm) {
  std::lock_guard lock{mutex_};
  vmms_.erase(vmm);
  if (vmms_.empty())
    emptied_.notify_all();
}

void living_vmms::close(std::chrono::seconds bound) {
  std::unique_lock lock{mutex_};
  for (auto* vmm : vmms_)
    vmm->signal(SIGKILL);
  if (!emptied_.wait_for(lock, bound, [this] { return vmms_.empty(); }))
    log::error("{} vmms did not end when killed", vmms_.size());
  open_ = false;
}

result<std::shared_ptr<vmm_launcher>> make_linux_vmm_launcher(const vmm_launcher_options& options,
                                                              vmm_drivers drivers) {
  auto root = runtime_root::open(options.runtime_root);
  if (!root)
    return root.why();
  auto logs = log_store::open(options.state_dir, options.kept_logs, options.log_use);
  if (!logs)
    return logs.why();
  try {
    auto host = std::make_unique<linux_vmm_host>(options, std::move(drivers), std::move(*root),
                                                 std::move(*logs));
    std::shared_ptr<vmm_launcher> launcher = std::make_shared<linux_vmm_launcher>(std::move(host));
    return launcher;
  } catch (const std::exception& error) { // No descriptor or no thread for the loops and workers.
    return failure{EAGAIN, std::string{"event loop: "} + error.what()};
  }
}

} // namespace crosvisor::io
