// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/keeper/keeper_remains.hpp"

#include "crosvisor/io/config/printable.hpp"
#include "crosvisor/io/logging.hpp"
#include "crosvisor/io/private_dir.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

namespace crosvisor::io {

namespace {

constexpr char lock_name[] = ".lock";

/// Of what is a keeper's in the folder: its CID, else no_cid.
vm_cid owner_of(std::string_view name) {
  if (name.ends_with(keeper_socket_suffix))
    name.remove_suffix(keeper_socket_suffix.size());
  return parse_kept_life(name).first;
}

} // namespace

result<std::shared_ptr<const keeper_places>>
keeper_places::open(const std::string& folder, const std::string& state_dir,
                    std::shared_ptr<cgroup_tree> cgroups) {
  auto dir = open_private_dir(folder);
  if (!dir)
    return dir.why();
  auto made = std::make_shared<keeper_places>();
  made->folder = folder;
  made->folder_fd = std::move(*dir);
  made->state_dir = state_dir;
  made->cgroups = std::move(cgroups);
  return std::shared_ptr<const keeper_places>{std::move(made)};
}

result<unique_fd> keeper_places::lock() const {
  auto what = "keepers' folder " + in_quotes(folder);
  auto flags = O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
  unique_fd file{::openat(folder_fd.get(), lock_name, flags, 0600)};
  if (!file)
    return last_failure(what);
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0)
    return errno == EWOULDBLOCK ? failure{EBUSY, what + " is in use by another process"}
                                : last_failure(what);
  return file;
}

std::string keeper_places::socket_path(vm_cid cid, kept_life which) const {
  return (folder + "/" + kept_life_name(cid, which)).append(keeper_socket_suffix);
}

std::string keeper_places::runtime_root(vm_cid cid) const {
  return folder + "/" + std::to_string(cid);
}

void keeper_places::remove(vm_cid cid) const {
  // First, so that nothing writes there any more.
  if (cgroups)
    if (auto removed = cgroups->remove_keeper(cid); !removed)
      log::warn("keeper of vm {} leaves its cgroup: {}", cid, removed.why().what);
  auto name = std::to_string(cid);
  if (auto removed = remove_tree(folder_fd.get(), name); !removed)
    log::warn("keeper of vm {} leaves \"{}\": {}", cid, runtime_root(cid), removed.why().what);
  remove_socket(cid, kept_life::present);
}

void keeper_places::remove_last(vm_cid cid) const {
  if (cgroups)
    if (auto removed = cgroups->remove_last_keeper(cid); !removed)
      log::warn("keeper of vm {} leaves its cgroup: {}", cid, removed.why().what);
  remove_socket(cid, kept_life::last);
}

void keeper_places::remove_socket(vm_cid cid, kept_life which) const {
  auto name = kept_life_name(cid, which).append(keeper_socket_suffix);
  if (::unlinkat(folder_fd.get(), name.c_str(), 0) != 0 && errno != ENOENT)
    log::warn("keeper of vm {} leaves \"{}\": {}", cid, socket_path(cid, which),
              std::strerror(errno));
}

void keeper_places::remove_all_but(const std::set<vm_cid>& living) const {
  std::set<vm_cid> there;
  if (auto names = list_dir(folder_fd.get()))
    for (const auto& name : *names)
      there.insert(owner_of(name));
  if (cgroups)
    for (auto cid : cgroups->keepers())
      there.insert(cid);
  there.erase(no_cid);
  for (auto cid : there)
    if (living.count(cid) == 0) {
      remove(cid);
      remove_last(cid);
    }
}

result<void> keeper_remains::make_room() const {
  return places_->cgroups ? places_->cgroups->put_keeper_aside(cid_) : result<void>{};
}

void keeper_remains::clear() {
  if (auto record = keeper_record::open(places_->state_dir, cid_, which_)) {
    if (auto locked = record->lock(); !locked)
      return log::error("keeper of vm {} leaves all that it had: {}", cid_, locked.why().what);
    record_ = std::move(*record);
  }
  which_ == kept_life::last ? places_->remove_last(cid_) : places_->remove(cid_);
}

vmm_exit keeper_remains::exit_or(vmm_exit otherwise) {
  if (!record_)
    return otherwise;
  auto recorded = record_->read_exit();
  if (recorded && *recorded)
    return std::move(**recorded);
  if (!recorded)
    log::warn("keeper of vm {} left a record that can't be read: {}", cid_, recorded.why().what);
  if (auto written = record_->write_exit(otherwise); !written)
    log::warn("end of vm {} can't be recorded: {}", cid_, written.why().what);
  return otherwise;
}

void keeper_remains::remove_record() {
  if (!record_)
    return;
  if (auto removed = record_->remove(); !removed)
    log::warn("record of vm {} stays: {}", cid_, removed.why().what);
  record_.reset();
}

} // namespace crosvisor::io
