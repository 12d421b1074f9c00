// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/actors/registry.hpp"

#include "crosvisor/actors/vm_supervisor.hpp"
#include "crosvisor/io/logged_events.hpp"

#include <caf/expected.hpp>

#include <algorithm>
#include <string>
#include <utility>

namespace crosvisor::actors {

namespace {

/// How many CIDs that other programs hold are passed over for one VM.
constexpr std::size_t max_skipped_cids = 4096;

/// What counts apart, so that no guest can make more of it.
const char* port_name(std::uint32_t port) {
  if (port == payload_output_port)
    return "output";
  return port == payload_status_port ? "status" : "other";
}

std::string range_text(const cid_range& range) {
  return std::to_string(range.first) + " to " + std::to_string(range.last);
}

} // namespace

registry_state::~registry_state() {
  for (auto& [cid, vm] : vms_)
    caf::anon_send_exit(vm.supervisor, caf::exit_reason::user_shutdown);
}

caf::expected<registry_state::fresh_cid> registry_state::claim() {
  auto tries = std::min(pool_->available(), max_skipped_cids);
  for (std::size_t i = 0; i < tries; ++i) {
    auto cid = *pool_->allocate();
    auto claim = options_.claimer->claim_cid(cid);
    if (claim && !claim->taken) {
      options_.last_cid->save(cid);
      return fresh_cid{cid, std::move(claim->descriptor)};
    }
    pool_->release(cid);
    if (!claim)
      return caf::make_error(vm_errc::io_failed, claim.why().what);
    log::info("registry skips cid {}, another program has it", cid);
  }
  return caf::make_error(vm_errc::cid_exhausted,
                         "no free CID in " + range_text(pool_->range()) + ": "
                           + std::to_string(vms_.size())
                           + " are this service's, the others are other programs'");
}

caf::result<vm_actor, vm_info> registry_state::create(vm_config config, vm_files files,
                                                      vmm_choice choice, caller owner) {
  auto began = unix_time_us();
  if (draining_)
    return caf::make_error(vm_errc::shutting_down, "the service is shutting down");
  if (const auto* vm = living(config.name))
    return caf::make_error(vm_errc::name_taken, "name: VM " + std::to_string(vm->info.cid)
                                                  + " is called \"" + config.name + "\" already");
  auto claimed = claim();
  if (!claimed)
    return claimed.error();
  auto cid = claimed->cid;
  std::vector<vm_step> steps{{"cid", began, unix_time_us()}};
  if (config.name.empty())
    config.name = "vm-" + std::to_string(cid);
  auto info = describe_new_vm(cid, config, choice);
  info.owner = std::move(owner);
  auto supervisor =
    supervise({cid, std::move(config), choice, std::move(files), claimed->vsock, nullptr}, info, {},
              std::move(steps));
  auto in_kernel = claimed->vsock && *claimed->vsock;
  vms_.emplace(cid, entry{supervisor, info, std::move(claimed->vsock), in_kernel});
  log::event(log::logged_event::vm_created, {cid, info.name}, "registry created vm {} \"{}\"", cid,
             info.name);
  return {caf::actor_cast<vm_actor>(supervisor), std::move(info)};
}

vm_supervisor_actor registry_state::supervise(io::launch_request request, vm_info info,
                                              std::optional<vm_past> past,
                                              std::vector<vm_step> steps) {
  return self_->spawn<caf::monitored>(
    vm_supervisor,
    vm_supervisor_options{std::move(request), std::move(info), options_.launcher, options_.timeouts,
                          registry_actor{self_}, options_.streams, options_.privileged_ports,
                          options_.images, std::move(past), std::move(steps)});
}

void registry_state::adopt(io::kept_vm kept) {
  auto cid = kept.cid;
  if (cid < first_vm_cid || vms_.contains(cid))
    return log::error("registry leaves a kept vm alone: cid {} is {}", cid,
                      cid < first_vm_cid ? "no vm's" : "another one's");
  if (kept.config.name.empty())
    kept.config.name = "vm-" + std::to_string(cid);
  if (const auto* other = living(kept.config.name))
    log::warn({cid, kept.config.name}, "vms {} and {} are both called \"{}\"", other->info.cid, cid,
              kept.config.name);
  claim_again(kept);
  auto record = read_record(kept);
  auto info = describe_kept_vm(kept, record);
  log::event(log::logged_event::vm_adopted, {cid, info.name}, "registry adopts vm {} \"{}\"", cid,
             info.name);
  auto notes = kept.notes;
  auto supervisor =
    supervise({cid, std::move(kept.config), kept.choice, nullptr, kept.vsock, nullptr, nullptr,
               std::move(kept.notes)},
              info, vm_past{std::move(record), std::move(options_.histories[cid])}, {});
  ++adopted_count_;
  auto in_kernel = kept.vsock && *kept.vsock;
  vms_.emplace(
    cid, entry{supervisor, std::move(info), std::move(kept.vsock), in_kernel, std::move(notes)});
}

void registry_state::claim_again(io::kept_vm& kept) {
  if (!pool_->reserve(kept.cid))
    log::info("registry honours cid {} of a kept vm outside {}", kept.cid,
              range_text(pool_->range()));
  if (kept.vsock)
    return;
  auto claim = options_.claimer->claim_cid(kept.cid);
  if (claim && !claim->taken)
    kept.vsock = std::move(claim->descriptor);
  else
    log::warn({kept.cid, kept.config.name}, "registry can't claim cid {} of a kept vm: {}",
              kept.cid, claim ? "another program has it" : claim.why().what);
}

const registry_state::entry* registry_state::living(const vm_name& wanted) const {
  if (wanted.empty())
    return nullptr;
  auto i = std::find_if(vms_.begin(), vms_.end(), [&](const auto& vm) {
    return vm.second.info.name == wanted && vm.second.info.state != vm_state::dead;
  });
  return i == vms_.end() ? nullptr : &i->second;
}

caf::result<vm_supervisor_actor> registry_state::find_supervisor(vm_cid cid) const {
  auto i = vms_.find(cid);
  if (i == vms_.end())
    return caf::make_error(vm_errc::no_such_vm, "no VM with CID " + std::to_string(cid));
  return i->second.supervisor;
}

caf::result<vm_actor> registry_state::find(vm_cid cid) const {
  auto i = vms_.find(cid);
  if (i == vms_.end())
    return caf::make_error(vm_errc::no_such_vm, "no VM with CID " + std::to_string(cid));
  return caf::actor_cast<vm_actor>(i->second.supervisor);
}

caf::result<vm_actor> registry_state::find(const vm_name& wanted) const {
  if (const auto* vm = living(wanted))
    return caf::actor_cast<vm_actor>(vm->supervisor);
  return caf::make_error(vm_errc::no_such_vm, "no living VM with the name \"" + wanted + "\"");
}

std::vector<vm_info> registry_state::list() const {
  std::vector<vm_info> infos;
  infos.reserve(vms_.size());
  for (const auto& [cid, vm] : vms_)
    infos.push_back(vm.info);
  return infos;
}

adopted_vms registry_state::adopted() const {
  adopted_vms vms;
  for (const auto& [cid, vm] : vms_)
    if (vm.notes)
      vms.list.push_back({caf::actor_cast<vm_actor>(vm.supervisor), vm.info, *vm.notes});
  return vms;
}

void registry_state::update(vm_info info) {
  if (auto i = vms_.find(info.cid); i != vms_.end())
    i->second.info = std::move(info);
}

caf::result<caf::ok_atom> registry_state::drain(caf::timespan grace) {
  draining_ = true;
  if (vms_.empty())
    return caf::ok_atom::value;
  log::info("registry stops {} vms", vms_.size());
  for (const auto& [cid, vm] : vms_)
    self_->send(vm.supervisor, drain_atom::value, grace);
  return answer_when_empty();
}

caf::result<caf::ok_atom> registry_state::leave() {
  draining_ = true;
  // Before anything lets go of a VM.
  options_.launcher->leave();
  log::info("registry leaves {} vms", vms_.size());
  for (const auto& [cid, vm] : vms_)
    self_->send(vm.supervisor, leave_atom::value);
  return answer_when_empty();
}

caf::result<caf::ok_atom> registry_state::answer_when_empty() {
  if (vms_.empty())
    return caf::ok_atom::value;
  return drained_.emplace_back(self_->make_response_promise<caf::ok_atom>());
}

caf::result<claimed_cid> registry_state::reclaim(vm_cid cid) {
  auto i = vms_.find(cid);
  if (i == vms_.end())
    return caf::make_error(vm_errc::no_such_vm, "no VM with CID " + std::to_string(cid));
  auto& held = i->second.vsock;
  if (!i->second.in_kernel)
    return held;
  held.reset();
  auto claim = options_.claimer->claim_cid(cid);
  if (!claim)
    return caf::make_error(vm_errc::io_failed, claim.why().what);
  if (claim->taken)
    return caf::make_error(vm_errc::cid_exhausted,
                           "CID " + std::to_string(cid) + " is another program's now");
  held = std::move(claim->descriptor);
  return held;
}

void registry_state::forget(const caf::actor_addr& supervisor) {
  auto i = std::find_if(vms_.begin(), vms_.end(), [&](const auto& vm) {
    return vm.second.supervisor.address() == supervisor;
  });
  if (i == vms_.end())
    return;
  pool_->release(i->first);
  vms_.erase(i);
  if (vms_.empty())
    for (auto& promise : std::exchange(drained_, {}))
      promise.deliver(caf::ok_atom::value);
}

registry_actor::behavior_type registry_state::make_behavior(registry_options options) {
  options_ = std::move(options);
  pool_ = std::make_unique<cid_pool>(options_.cids, options_.last_cid->load());
  self_->set_down_handler([this](caf::down_msg& down) {
    if (down.reason && down.reason != caf::exit_reason::user_shutdown)
      log::error("registry lost a supervisor: {}", to_string(down.reason));
    forget(down.source);
  });
  for (auto& kept : std::exchange(options_.kept, {}))
    adopt(std::move(kept));
  options_.histories.clear();
  return {
    [this](create_atom, vm_config& config, vm_files& files, vmm_choice choice, caller& owner) {
      return create(std::move(config), std::move(files), choice, std::move(owner));
    },
    [this](caf::get_atom, vm_cid cid) { return find(cid); },
    [this](caf::get_atom, const vm_name& vm) { return find(vm); },
    [this](caf::get_atom, supervisor_atom, vm_cid cid) { return find_supervisor(cid); },
    [this](list_atom) { return list(); },
    [this](caf::get_atom, adopted_atom) { return adopted(); },
    [this](vm_info& info) { update(std::move(info)); },
    [this](caf::connect_atom, std::uint32_t port, bool taken) {
      ++connections_[{port_name(port), taken}];
    },
    [this](caf::get_atom, metrics_atom) { return metrics(); },
    [this](claim_atom, vm_cid cid) { return reclaim(cid); },
    [this](drain_atom, caf::timespan grace) { return drain(grace); },
    [this](leave_atom) { return leave(); },
  };
}

registry_actor::behavior_type registry(registry_actor::stateful_pointer<registry_state> self,
                                       registry_options options) {
  return self->state.make_behavior(std::move(options));
}

} // namespace crosvisor::actors
