// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/keeper/keeper_launch.hpp"

#include "crosvisor/io/config/printable.hpp"
#include "crosvisor/io/keeper/keeper_protocol.hpp"
#include "crosvisor/io/keeper/value_arrays.hpp"

#include <fcntl.h>

#include <algorithm>
#include <set>
#include <utility>

namespace crosvisor::io {

namespace {

using nlohmann::json;

// -- how what this folder has no inspect() for is written; append-only ----------

struct written_disk {
  std::uint64_t index = 0;
  int descriptor = -1;
  std::vector<int> owned, components, sparse;
  std::uint64_t size_bytes = 0;
};

template <class Inspector>
auto inspect(Inspector& f, written_disk& x) {
  return f(x.index, x.descriptor, x.owned, x.components, x.sparse, x.size_bytes);
}

struct written_users {
  bool given = false;
  vmm_user_range range;
};

template <class Inspector>
auto inspect(Inspector& f, written_users& x) {
  return f(x.given, x.range.first_uid, x.range.last_cid);
}

struct written_origin {
  bool given = false;
  vm_config config;
  vmm_choice choice;
};

template <class Inspector>
auto inspect(Inspector& f, written_origin& x) {
  return f(x.given, x.config, x.choice);
}

written_origin written(const std::shared_ptr<const vm_origin>& origin) {
  return origin ? written_origin{true, origin->config, origin->choice} : written_origin{};
}

/// The parts of a launch by their keys.
template <class Launch, class Part>
bool each_part(Launch& x, Part part) {
  return part("config", x.request.config) && part("choice", x.request.choice) && part("vmm", x.vmm)
         && part("runtime_root", x.how.runtime_root) && part("state_dir", x.how.state_dir)
         && part("log_file_bytes", x.how.logs.file_bytes) && part("log_files", x.how.logs.files)
         && part("kept_logs", x.how.kept_logs) && part("kept_output_bytes", x.how.kept_output_bytes)
         && part("vsock_program", x.how.vsock_program) && part("nbdkit", x.how.disk_server.nbdkit)
         && part("disk_plugin", x.how.disk_server.plugin) && part("workers", x.how.workers)
         && part("cgroup", x.confinement.cgroup)
         && part("confinement_optional", x.confinement.optional) && part("programs", x.programs)
         && part("plugins", x.plugins) && part("boot_id", x.boot_id)
         && part("launched_ms", x.launched_ms) && part("socket", x.socket_path)
         && part("owner", x.request.owner) && part("share_program", x.how.share_program);
}

std::vector<int> numbers_of(const std::vector<unique_fd>& fds) {
  std::vector<int> numbers;
  for (const auto& fd : fds)
    numbers.push_back(fd.get());
  return numbers;
}

std::vector<int> numbers_of(const descriptor_set& files) {
  std::vector<int> numbers;
  for (std::uint32_t i = 0; i < files.size(); ++i)
    numbers.push_back(files.get(i));
  return numbers;
}

std::vector<written_disk> written(const built_disks& disks) {
  std::vector<written_disk> made;
  for (const auto& [index, disk] : disks)
    made.push_back({index, disk.descriptor.get(), numbers_of(disk.owned), disk.components,
                    disk.sparse, disk.size_bytes});
  return made;
}

/// What a text says of descriptors.
struct named_descriptors {
  std::vector<int> files;
  int vsock = -1;
  std::vector<written_disk> disks;
  std::vector<int> origin_files;
};

template <class Part>
bool each_descriptor_part(named_descriptors& x, Part part) {
  return part("files", x.files) && part("vsock", x.vsock) && part("disks", x.disks)
         && part("origin_files", x.origin_files);
}

named_descriptors named_by(const launch_request& request) {
  named_descriptors named;
  if (request.files)
    named.files = numbers_of(*request.files);
  if (request.vsock)
    named.vsock = request.vsock->get();
  if (request.disks)
    named.disks = written(*request.disks);
  if (request.origin && request.origin->files)
    named.origin_files = numbers_of(*request.origin->files);
  return named;
}

// -- reading ---------------------------------------------------------------------

failure bad_launch(const std::string& what) {
  return {0, "the keeper's launch: " + what};
}

/// Those that are to have an owner in this process, -1 left out; with repetitions.
std::vector<int> owned_by(const named_descriptors& named) {
  auto all = named.files;
  all.insert(all.end(), named.origin_files.begin(), named.origin_files.end());
  all.push_back(named.vsock);
  for (const auto& disk : named.disks) {
    all.push_back(disk.descriptor);
    all.insert(all.end(), disk.owned.begin(), disk.owned.end());
  }
  all.erase(std::remove(all.begin(), all.end(), -1), all.end());
  return all;
}

/// Each is there, and has one owner alone: what is closed twice may be another's by then.
result<void> check_descriptors(const named_descriptors& named) {
  std::set<int> seen;
  for (auto fd : owned_by(named)) {
    auto what = "descriptor " + std::to_string(fd);
    if (fd <= STDERR_FILENO || !seen.insert(fd).second)
      return bad_launch(what + (fd <= STDERR_FILENO ? " is a standard stream" : " is named twice"));
    if (::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
      return last_failure("the keeper's launch: " + what);
  }
  return {};
}

std::shared_ptr<descriptor_set> owner_of(const std::vector<int>& fds) {
  auto made = std::make_shared<descriptor_set>();
  for (auto fd : fds)
    made->add(unique_fd{fd});
  return made;
}

result<void> take_over(const named_descriptors& named, launch_request& request) {
  if (auto good = check_descriptors(named); !good)
    return good;
  request.files = owner_of(named.files);
  if (request.origin)
    request.origin = std::make_shared<const vm_origin>(
      vm_origin{request.origin->config, request.origin->choice, owner_of(named.origin_files)});
  if (named.vsock >= 0)
    request.vsock = std::make_shared<const unique_fd>(named.vsock);
  auto disks = std::make_shared<built_disks>();
  for (const auto& from : named.disks) {
    auto& disk = (*disks)[from.index];
    disk.descriptor.reset(from.descriptor);
    for (auto fd : from.owned)
      disk.owned.emplace_back(fd);
    disk.components = from.components;
    disk.sparse = from.sparse;
    disk.size_bytes = from.size_bytes;
  }
  if (!disks->empty())
    request.disks = std::move(disks);
  return {};
}

/// A launch by its text; what of it is optional there keeps its default.
class launch_reader {
public:
  explicit launch_reader(const json& from) : from_(from) {}

  template <class T>
  bool operator()(const char* key, T& to) {
    auto found = from_.find(key);
    return found == from_.end() || values_.read(*found, to, key);
  }

  bool read_notes(vm_notes& notes) {
    auto found = from_.find("notes");
    if (found == from_.end())
      return true;
    if (!found->is_object())
      return values_.refuse("notes", "no object");
    for (const auto& [key, value] : found->items())
      if (!values_.read(value, notes[key], "notes"))
        return false;
    return true;
  }

  const std::string& problem() const noexcept { return values_.problem(); }

private:
  const json& from_;
  value_reader values_;
};

result<void> check_values(const keeper_launch& launch) {
  const auto& request = launch.request;
  if (request.cid <= 2)
    return bad_launch("cid " + std::to_string(request.cid) + " can't be a VM's");
  if (auto problem = find_problem(request.config))
    return bad_launch("config: " + *problem);
  if (request.choice.vmm != vmm_kind::crosvm && request.choice.vmm != vmm_kind::qemu)
    return bad_launch("choice: no VMM is chosen");
  if (request.choice.accel != accel_kind::kvm && request.choice.accel != accel_kind::tcg)
    return bad_launch("choice: no accelerator is chosen");
  if (auto problem = request.origin ? find_problem(request.origin->config) : std::nullopt)
    return bad_launch("origin: " + *problem);
  return {};
}

result<void> check_version(const json& from) {
  auto version = from.find("version");
  if (version == from.end() || !version->is_number_integer())
    return bad_launch("it has no version");
  auto number = version->get<std::int64_t>();
  if (number < oldest_keeper_version || number > keeper_protocol_version)
    return bad_launch("version " + std::to_string(number) + " is not known here; allowed are "
                      + std::to_string(oldest_keeper_version) + " to "
                      + std::to_string(keeper_protocol_version));
  return {};
}

result<void> read_launch(const json& from, keeper_launch& launch, named_descriptors& named) {
  launch_reader reader{from};
  written_users users;
  written_origin origin;
  auto done = reader("cid", launch.request.cid)
              && each_part(launch, [&](auto key, auto& to) { return reader(key, to); })
              && each_descriptor_part(named, [&](auto key, auto& to) { return reader(key, to); })
              && reader("users", users) && reader("origin", origin)
              && reader.read_notes(launch.request.notes);
  if (!done)
    return bad_launch(reader.problem());
  if (users.given)
    launch.confinement.users = users.range;
  if (origin.given)
    launch.request.origin = std::make_shared<const vm_origin>(
      vm_origin{std::move(origin.config), origin.choice, nullptr});
  return check_values(launch);
}

} // namespace

std::string encode_keeper_launch(const keeper_launch& launch) {
  json made;
  auto write = [&](const char* key, const auto& from) {
    made[key] = to_json_value(from);
    return true;
  };
  made["version"] = keeper_protocol_version;
  write("cid", launch.request.cid);
  each_part(launch, write);
  auto named = named_by(launch.request);
  each_descriptor_part(named, write);
  const auto& users = launch.confinement.users;
  write("users", written_users{users.has_value(), users.value_or(vmm_user_range{})});
  write("origin", written(launch.request.origin));
  auto& notes = made["notes"] = json::object();
  for (const auto& [key, value] : launch.request.notes)
    notes[key] = to_json_value(value);
  return made.dump(-1, ' ', false, json::error_handler_t::replace);
}

result<keeper_launch> decode_keeper_launch(const std::string& text, bool take) {
  auto parsed = json::parse(text, nullptr, false);
  if (!parsed.is_object())
    return bad_launch("it is no JSON object");
  if (auto known = check_version(parsed); !known)
    return known.why();
  keeper_launch launch;
  named_descriptors named;
  if (auto done = read_launch(parsed, launch, named); !done)
    return done.why();
  if (take)
    if (auto taken = take_over(named, launch.request); !taken)
      return taken.why();
  return launch;
}

std::vector<int> descriptors_of(const keeper_launch& launch) {
  auto named = named_by(launch.request);
  auto all = owned_by(named);
  for (const auto& disk : named.disks)
    all.insert(all.end(), disk.components.begin(), disk.components.end());
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

} // namespace crosvisor::io
