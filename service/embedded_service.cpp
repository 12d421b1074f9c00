// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/embedded_service.hpp"

#include "crosvisor/io/config/printable.hpp"
#include "crosvisor/io/linux_backend.hpp"
#include "crosvisor/messages/register_types.hpp"
#include "crosvisor/service/shared_cids.hpp"

#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>

#include <unistd.h>

#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace crosvisor {

namespace {

/// What an answer may take besides the work itself.
constexpr caf::timespan answer_slack = std::chrono::seconds{5};
/// No VM's keeper is waited for.
constexpr caf::timespan adoption_bound = std::chrono::seconds{60};

struct system_config : caf::actor_system_config {
  explicit system_config(const embedded_service_options& options) {
    register_types(*this);
    // Stealing sleeps between polls, and one VM keeps no more than two threads busy.
    set("scheduler.policy", caf::atom("sharing"));
    set("scheduler.max-threads", std::size_t{2});
    if (options.configure)
      options.configure(*this);
  }
};

/// The first uid of VMs' users, as the environment has it; 0: they have none.
io::result<std::uint32_t> first_vmm_uid() {
  const auto* text = std::getenv("CROSVISOR_VMM_UID");
  if (text == nullptr)
    return io::vmm_user_range{}.first_uid;
  std::uint32_t uid = 0;
  auto end = text + std::strlen(text);
  if (auto [at, why] = std::from_chars(text, end, uid); why != std::errc{} || at != end)
    return io::failure{0, "CROSVISOR_VMM_UID: " + io::in_quotes(text)
                            + " is no number from 0 to 4294967295"};
  return uid;
}

io::result<io::confinement_options>
confinement(const std::optional<io::confinement_options>& wanted) {
  if (wanted)
    return *wanted;
  io::confinement_options result;
  if (::geteuid() != 0)
    return result;
  auto first = first_vmm_uid();
  if (!first)
    return first.why();
  result.users = io::vmm_user_range{*first};
  result.optional = true;
  return result;
}

io::linux_backend_options backend_options(const embedded_service_options& options,
                                          const process_dir& dir) {
  io::linux_backend_options result;
  result.runtime_root = dir.path();
  result.state_dir = options.where.state;
  result.crosvm_path = options.crosvm;
  result.qemu_path = options.qemu;
  result.vsock_device_path = options.vsock_device;
  result.disk_plugin_path = options.disk_plugin;
  result.os_folder = options.os_folder;
  result.logs = options.logs.each;
  result.kept_logs = options.logs.vms;
  result.log_use = options.log_use;
  result.kept_output_bytes = options.output_bytes;
  if (options.keepers)
    result.keepers_folder = options.where.runtime + "/keepers";
  result.keeper_path = options.keeper;
  return result;
}

} // namespace

io::result<std::unique_ptr<embedded_service>>
embedded_service::start(const embedded_service_options& options) {
  if (auto made = make_folders(options.where.state); !made)
    return made.why();
  auto dir = process_dir::make(options.where.runtime);
  if (!dir)
    return dir.why();
  auto confined = confinement(options.confinement);
  if (!confined)
    return confined.why();
  auto how = backend_options(options, *dir);
  how.confinement = std::move(*confined);
  auto host = io::make_linux_backend(how);
  if (!host)
    return host.why();
  auto cids = shared_cids::make(dir->parent(), std::move(host->cids),
                                options.keepers ? std::string{} : options.where.state);
  if (!cids) {
    host->launcher->leave(); // Those that were found may be the next one's.
    return cids.why();
  }
  host->cids = std::move(*cids);
  auto with = options;
  if (options.histories)
    with.service.histories = options.histories(host->kept);
  return std::make_unique<embedded_service>(std::move(*dir), std::move(*host), with);
}

embedded_service::embedded_service(process_dir dir, io::backend host,
                                   const embedded_service_options& options)
    : dir_(std::move(dir)),
      host_(std::move(host)),
      state_dir_(options.where.state),
      options_(options.service),
      config_(std::make_unique<system_config>(options)),
      system_(std::make_unique<caf::actor_system>(*config_)),
      service_(spawn_service(*system_, host_, options_)) {
  // Their CIDs' claims are the service's alone from now on, and end when it lets go of them.
  host_.kept.clear();
}

embedded_service::~embedded_service() {
  caf::anon_send_exit(service_, caf::exit_reason::user_shutdown);
  service_ = nullptr;
}

io::result<std::vector<adopted_vm>> embedded_service::adopted() {
  io::result<std::vector<adopted_vm>> all = std::vector<adopted_vm>{};
  caf::scoped_actor self{*system_};
  self->request(service_, adoption_bound, caf::get_atom::value, adopted_atom::value)
    .receive([&](adopted_vms& vms) { all = std::move(vms.list); },
             [&](const caf::error& why) {
               all = io::failure{0, "the service does not take its VMs back: " + sentence_of(why)};
             });
  return all;
}

std::optional<std::string> embedded_service::shut_down() {
  std::optional<std::string> left;
  caf::scoped_actor self{*system_};
  auto bound = longest_stop(options_.timeouts, caf::timespan::zero()) + answer_slack;
  self->request(service_, bound, drain_atom::value, caf::timespan::zero())
    .receive([](caf::ok_atom) {}, [&](const caf::error& why) { left = sentence_of(why); });
  return left;
}

} // namespace crosvisor
