// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/daemon/autostart.hpp"

#include "crosvisor/io/config/open_vm_files.hpp"
#include "crosvisor/io/config/printable.hpp"
#include "crosvisor/io/config/vm_config_file.hpp"
#include "crosvisor/io/logging.hpp"
#include "crosvisor/service/door/door_notes.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/scoped_actor.hpp>

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <utility>

namespace crosvisor {

namespace {

/// Nothing of creating a VM waits for a VMM.
constexpr caf::timespan create_bound = std::chrono::seconds{60};

struct wanted_vm {
  vm_config config;
  vm_files files;
};

/// What it names is opened with the daemon's rights.
io::result<void> check_writers(const std::string& path) {
  constexpr mode_t others = S_IWGRP | S_IWOTH;
  struct stat is {};
  if (::stat(path.c_str(), &is) != 0)
    return io::last_failure(io::printable(path, 4096));
  if ((is.st_uid == 0 || is.st_uid == ::geteuid()) && (is.st_mode & others) == 0)
    return {};
  return io::failure{0,
                     io::printable(path, 4096)
                       + ": somebody else can write it; it must be root's or the daemon's user's, "
                         "and writable by nobody else"};
}

io::result<wanted_vm> prepare(const autostart_vm& wanted) {
  if (auto own = check_writers(wanted.config); !own)
    return own.why();
  auto config = io::load_vm_config(wanted.config);
  if (!config)
    return config.why();
  if (!wanted.name.empty())
    config->name = wanted.name;
  if (wanted.restart)
    config->restart = *wanted.restart;
  if (config->name.empty())
    return io::failure{0,
                       wanted.config
                         + ": the VM has no name, by which a later daemon knows that it is there "
                           "already; give one there or in \"autostart\""};
  auto files = io::open_vm_files(*config, io::folder_of(wanted.config));
  if (!files)
    return io::failure{files.why().code, wanted.config + ": " + files.why().what};
  if (const auto& stored = (*files)->stored_images(); !stored.empty())
    return io::failure{0, wanted.config + ": image " + io::in_quotes(stored.begin()->second)
                            + " is a stored one, which only a client's request can name"};
  return wanted_vm{std::move(*config), std::move(*files)};
}

bool is_there(const std::vector<adopted_vm>& vms, const vm_name& name) {
  return std::any_of(vms.begin(), vms.end(), [&](const adopted_vm& vm) {
    return vm.info.name == name && vm.info.state != vm_state::dead;
  });
}

caller owner_of(const autostart_vm& wanted) {
  caller owner;
  owner.kind = caller_kind::socket;
  owner.uid = wanted.owner_uid.value_or(::geteuid());
  owner.gid = owner.uid == ::geteuid() ? ::getegid() : owner.uid;
  return owner;
}

io::result<adopted_vm> create(caf::scoped_actor& self, const service_actor& service,
                              wanted_vm wanted, const caller& owner) {
  io::result<adopted_vm> made = io::failure{0, "the service does not answer"};
  self
    ->request(service, create_bound, create_atom::value, std::move(wanted.config),
              std::move(wanted.files), owner)
    .receive(
      [&](vm_actor& vm, vm_info& info) {
        made =
          adopted_vm{std::move(vm),
                     std::move(info),
                     {{door::references_note, door::encode(door::noted_references{true, {}})}}};
      },
      [&](const caf::error& why) {
        made = io::failure{0, sentence_of(why)};
      });
  return made;
}

/// Starts the first of `left`, and the others after it.
void start_next(caf::event_based_actor* self, std::deque<adopted_vm> left, caf::timespan bound) {
  if (left.empty())
    return self->quit();
  auto one = std::move(left.front());
  left.pop_front();
  auto next = [self, bound](std::deque<adopted_vm> rest) {
    start_next(self, std::move(rest), bound);
  };
  self->request(one.vm, bound, start_atom::value)
    .then(
      [=, info = one.info](const vm_info&) {
        log::info({info.cid, info.name}, "autostart has started vm {} \"{}\"", info.cid, info.name);
        next(left);
      },
      [=, info = one.info](const caf::error& why) {
        log::error({info.cid, info.name}, "autostart can't start vm {} \"{}\": {}", info.cid,
                   info.name, sentence_of(why));
        next(left);
      });
}

} // namespace

std::vector<adopted_vm> create_autostart_vms(caf::actor_system& system,
                                             const service_actor& service,
                                             const std::vector<autostart_vm>& wanted,
                                             const std::vector<adopted_vm>& there) {
  std::vector<adopted_vm> made;
  caf::scoped_actor self{system};
  for (const auto& one : wanted) {
    if (!one.name.empty() && is_there(there, one.name))
      continue;
    auto prepared = prepare(one);
    if (prepared && is_there(there, prepared->config.name))
      continue;
    auto vm = prepared ? create(self, service, std::move(*prepared), owner_of(one))
                       : io::result<adopted_vm>{prepared.why()};
    if (vm)
      made.push_back(std::move(*vm));
    else
      log::error("autostart of \"{}\" fails: {}", one.config, vm.why().what);
  }
  return made;
}

void spawn_autostart(caf::actor_system& system, const std::vector<adopted_vm>& vms,
                     caf::timespan bound) {
  if (!vms.empty())
    system.spawn([left = std::deque(vms.begin(), vms.end()), bound](caf::event_based_actor* self) {
      start_next(self, left, bound);
    });
}

} // namespace crosvisor
