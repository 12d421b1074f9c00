// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/keeper/keeper_launcher.hpp"

#include "crosvisor/io/config/bounded_read.hpp"
#include "crosvisor/io/guest/crash_files.hpp"
#include "crosvisor/io/guest/guest_door.hpp"
#include "crosvisor/io/held_process.hpp"
#include "crosvisor/io/keeper/found_keeper.hpp"
#include "crosvisor/io/keeper/keeper_host.hpp"
#include "crosvisor/io/keeper/kept_streams.hpp"
#include "crosvisor/io/keeper/kept_vmm.hpp"
#include "crosvisor/io/log/kept_logs.hpp"
#include "crosvisor/io/logging.hpp"

#include <fcntl.h>

#include <cerrno>
#include <csignal>
#include <exception>
#include <future>
#include <optional>
#include <utility>

namespace crosvisor::io {

namespace {

constexpr std::chrono::seconds closing_bound{10};

class keeper_launcher final : public vmm_launcher {
public:
  keeper_launcher(std::unique_ptr<keeper_host> host, std::map<vm_cid, found_keeper> found,
                  std::map<vm_cid, found_keeper> last)
      : host_(std::move(host)), found_(std::move(found)), last_(std::move(last)) {}

  ~keeper_launcher() override {
    auto& living = *host_->living;
    if (living.leaving) {
      for (const auto& vmm : living.all())
        vmm->leave();
    } else {
      // Held by nobody, they are killed.
      while (!last_.empty())
        adopt_last(last_.begin()->first);
      while (!found_.empty())
        adopt(found_.begin()->first, nullptr, {});
      for (const auto& vmm : living.all())
        vmm->abandon();
    }
    if (auto left = living.close(closing_bound); left > 0)
      log::error("{} keepers did not end when their vms were killed", left);
    // What has just been told may still be on its way out of the loop.
    auto loop = host_->loop;
    host_ = nullptr;
    std::promise<void> idle;
    loop->post([&] { idle.set_value(); });
    idle.get_future().wait();
  }

  std::shared_ptr<vmm_process> launch(launch_request request, vmm_callbacks callbacks) override {
    auto vmm = make(request.cid, request.config.name, request.streams, std::move(callbacks));
    request.streams = nullptr;
    if (request.vsock)
      receive_crash_files(*vmm, request.config);
    host_->workers.post(
      [vmm, request = std::move(request)]() mutable { vmm->launch(std::move(request)); });
    return std::make_shared<held_process<kept_vmm>>(std::move(vmm));
  }

  std::shared_ptr<vmm_process> adopt(vm_cid cid, std::shared_ptr<guest_streams> streams,
                                     vmm_callbacks callbacks) override {
    auto keeper = take(found_, cid);
    if (!keeper)
      return nullptr;
    auto vmm = make(cid, keeper->vm.config.name, streams, std::move(callbacks));
    if (keeper->vm.vsock)
      receive_crash_files(*vmm, keeper->vm.config);
    vmm->adopt(std::move(*keeper));
    return std::make_shared<held_process<kept_vmm>>(std::move(vmm));
  }

  std::shared_ptr<vmm_process> adopt_last(vm_cid cid) override {
    auto keeper = take(last_, cid);
    if (!keeper)
      return nullptr;
    auto vmm = make(cid, keeper->vm.config.name, nullptr, {});
    vmm->adopt(std::move(*keeper));
    return std::make_shared<held_process<kept_vmm>>(std::move(vmm));
  }

  void leave() override {
    host_->living->leaving = true;
    // At once: what lets go of its connections and readers from now on must not tell keepers so.
    for (const auto& vmm : host_->living->all())
      vmm->leave();
  }

private:
  std::optional<found_keeper> take(std::map<vm_cid, found_keeper>& from, vm_cid cid) {
    std::lock_guard lock{mutex_};
    auto found = from.extract(cid);
    return found ? std::optional{std::move(found.mapped())} : std::nullopt;
  }

  std::shared_ptr<kept_vmm> make(vm_cid cid, const vm_name& name,
                                 const std::shared_ptr<guest_streams>& streams,
                                 vmm_callbacks callbacks) {
    auto vmm = std::make_shared<kept_vmm>(*host_, cid, name, streams, std::move(callbacks));
    host_->living->add(vmm);
    return vmm;
  }

  /// Those that come by the kernel's vsock, of which its keeper hears nothing.
  void receive_crash_files(kept_vmm& vmm, const vm_config& config) {
    const auto& how = host_->options.how;
    const auto& devices = config.devices;
    if (!how.door || devices.crash_files == 0)
      return;
    auto open_folder = [folder = log_folder(how.state_dir, vmm.cid(), config.name)] {
      auto flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
      auto made = std::make_shared<const unique_fd>(::open(folder.c_str(), flags));
      return *made ? made : nullptr;
    };
    auto files = std::make_shared<crash_files>(
      *host_->loop, vmm.cid(), std::move(open_folder),
      log_bounds{std::uint64_t{devices.crash_file_kib} << 10, devices.crash_files});
    how.door->add(vmm.cid(), files);
    vmm.hold(std::move(files));
  }

  std::unique_ptr<keeper_host> host_;
  std::mutex mutex_;
  std::map<vm_cid, found_keeper> found_; // To be adopted.
  std::map<vm_cid, found_keeper> last_;  // Likewise.
};

result<std::string> read_boot_id() {
  constexpr char path[] = "/proc/sys/kernel/random/boot_id";
  unique_fd file{::open(path, O_RDONLY | O_CLOEXEC)};
  if (!file)
    return last_failure(path);
  auto text = read_bounded(file.get(), 64);
  if (text && text->ends_with('\n'))
    text->pop_back();
  return text;
}

std::vector<kept_vm> vms_of(const std::map<vm_cid, found_keeper>& found) {
  std::vector<kept_vm> vms;
  for (const auto& [cid, keeper] : found)
    vms.push_back(keeper.vm);
  return vms;
}

} // namespace

void living_keepers::add(const std::shared_ptr<kept_vmm>& vmm) {
  std::lock_guard lock{mutex_};
  vmms_[vmm.get()] = vmm;
}

void living_keepers::remove(kept_vmm* vmm) {
  std::lock_guard lock{mutex_};
  vmms_.erase(vmm);
  changed_.notify_all();
}

std::vector<std::shared_ptr<kept_vmm>> living_keepers::all() {
  std::lock_guard lock{mutex_};
  std::vector<std::shared_ptr<kept_vmm>> there;
  for (const auto& [key, weak] : vmms_)
    if (auto vmm = weak.lock())
      there.push_back(std::move(vmm));
  return there;
}

bool living_keepers::wait_for_end_of_others(vm_cid cid, const kept_vmm* but,
                                            std::chrono::milliseconds bound) {
  std::unique_lock lock{mutex_};
  return changed_.wait_for(lock, bound, [&] {
    for (const auto& [key, weak] : vmms_)
      if (key != but && key->cid() == cid && !key->is_aside())
        return false;
    return true;
  });
}

std::size_t living_keepers::close(std::chrono::seconds bound) {
  std::unique_lock lock{mutex_};
  changed_.wait_for(lock, bound, [this] { return vmms_.empty(); });
  open_ = false;
  return vmms_.size();
}

result<keeper_backend> make_keeper_backend(const keeper_launcher_options& options) {
  auto boot_id = read_boot_id();
  if (!boot_id)
    return boot_id.why();
  auto places =
    keeper_places::open(options.folder, options.how.state_dir, options.how.confinement.cgroups());
  if (!places)
    return places.why();
  auto lock = (*places)->lock();
  if (!lock)
    return lock.why();
  auto logs = log_store::open(options.how.state_dir, options.how.kept_logs, options.how.log_use);
  if (!logs)
    return logs.why();
  auto found = find_keepers(**places, *boot_id, options.hello_bound);
  try {
    auto loop = make_shared_loop("crosvisor-vms");
    auto host = std::make_unique<keeper_host>(options, loop, std::move(*places), std::move(*lock),
                                              std::move(*logs), std::move(*boot_id));
    keeper_backend made;
    made.kept = vms_of(found.all);
    made.unusable = std::move(found.unusable);
    made.streams = make_kept_streams(loop);
    made.launcher = std::make_shared<keeper_launcher>(std::move(host), std::move(found.all),
                                                      std::move(found.last));
    return made;
  } catch (const std::exception& error) { // No descriptor or no thread for the loop and workers.
    return failure{EAGAIN, std::string{"event loop: "} + error.what()};
  }
}

} // namespace crosvisor::io
