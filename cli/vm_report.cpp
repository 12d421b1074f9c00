// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/vm_report.hpp"

#include "crosvisor/cli/event_json.hpp"
#include "crosvisor/cli/exit_code.hpp"
#include "crosvisor/cli/json_parts.hpp"
#include "crosvisor/cli/list_text.hpp"
#include "crosvisor/io/config/printable.hpp"
#include "crosvisor/messages/vm_event.hpp"

#include <pwd.h>

#include <algorithm>
#include <array>

namespace crosvisor::cli {

namespace {

using json = nlohmann::ordered_json;

constexpr std::size_t state_column = 2;

style style_of(const vm_info& vm) {
  if (vm.state == vm_state::dead)
    return ended_badly(vm.reason) ? style::bad : style::dim;
  return vm.state == vm_state::started || vm.state == vm_state::ready ? style::good : style::plain;
}

table_cells row_of(const vm_info& vm, const vm_shown& with) {
  return {std::to_string(vm.cid),
          io::printable(vm.name),
          state_words(vm),
          owner_name(vm.owner, with.users),
          to_string(vm.vmm) + ' ' + to_string(vm.accel),
          std::to_string(vm.memory_mib) + " MiB",
          std::to_string(vm.restarts),
          age(vm.created_ms, with.now_ms)};
}

std::string list_table(const std::vector<vm_info>& vms, const vm_shown& with) {
  std::vector<table_cells> rows{
    {"CID", "NAME", "STATE", "OWNER", "VMM", "MEMORY", "RESTARTS", "SINCE"}};
  for (const auto& vm : vms)
    rows.push_back(row_of(vm, with));
  return table_text(rows, [&](std::size_t line, std::size_t column, const std::string& cell) {
    return line > 0 && column == state_column ? with.paint.paint(style_of(vms[line - 1]), cell)
                                              : cell;
  });
}

json owner_json(const caller& owner, const user_names& users) {
  if (owner.kind == caller_kind::certificate)
    return {{"kind", to_string(owner.kind)}, {"subject", owner.subject}};
  auto name = users(owner.uid);
  return {{"kind", to_string(owner.kind)},
          {"uid", owner.uid},
          {"gid", owner.gid},
          {"user", name ? json(*name) : json()}};
}

json payload_json(const payload_info& payload) {
  return {{"started", payload.started},
          {"finished", payload.finished},
          {"exit_code", payload.finished ? json(payload.exit_code) : json()},
          {"error", payload.failed ? json(to_string(payload.error)) : json()}};
}

void add_vm_json(json& object, const vm_info& vm, const user_names& users) {
  auto dead = vm.state == vm_state::dead;
  object["cid"] = vm.cid;
  object["name"] = vm.name;
  object["state"] = to_string(vm.state);
  object["suspended"] = vm.suspended;
  object["owner"] = owner_json(vm.owner, users);
  object["vmm"] = to_string(vm.vmm);
  object["accel"] = to_string(vm.accel);
  object["memory_mib"] = vm.memory_mib;
  object["cpus"] = vm.cpus;
  object["created"] = rfc3339(vm.created_ms);
  object["vmm_pid"] = vm.vmm_pid == 0 ? json() : json(vm.vmm_pid);
  object["payload"] = payload_json(vm.payload);
  object["restarts"] = vm.restarts;
  if (dead) {
    object["reason"] = to_string(vm.reason);
    object["vmm_exit"] = exit_json(vm.exit);
  }
}

std::string line(const std::string& name, const std::string& value) {
  constexpr std::size_t width = 10;
  return name + std::string(width - name.size(), ' ') + value + '\n';
}

std::string payload_words(const payload_info& payload) {
  if (payload.failed)
    return "failed: " + to_string(payload.error);
  if (payload.finished)
    return "finished, exit " + std::to_string(payload.exit_code);
  return payload.started ? "started" : "not started";
}

std::string vm_table(const vm_info& vm, const vm_shown& with) {
  auto text =
    line("CID", std::to_string(vm.cid)) + line("name", io::printable(vm.name))
    + line("state", with.paint.paint(style_of(vm), state_words(vm)))
    + line("owner", owner_name(vm.owner, with.users))
    + line("VMM", to_string(vm.vmm) + ' ' + to_string(vm.accel)
                    + (vm.vmm_pid == 0 ? "" : ", pid " + std::to_string(vm.vmm_pid)))
    + line("memory", std::to_string(vm.memory_mib) + " MiB") + line("cpus", std::to_string(vm.cpus))
    + line("created", rfc3339(vm.created_ms) + ", " + age(vm.created_ms, with.now_ms) + " ago")
    + line("payload", payload_words(vm.payload)) + line("restarts", std::to_string(vm.restarts));
  if (vm.state != vm_state::dead || vm.exit.kind == exit_kind::none)
    return text;
  auto detail = io::printable(vm.exit.detail, 400);
  return text + line("VMM ended", to_string(vm.exit) + (detail.empty() ? "" : "; " + detail));
}

/// With a unit that leaves no digits behind a point.
std::string size_words(std::uint64_t bytes) {
  if (bytes % (1 << 20) == 0)
    return std::to_string(bytes >> 20) + " MiB";
  return bytes % 1024 == 0 ? std::to_string(bytes >> 10) + " KiB" : std::to_string(bytes) + " B";
}

} // namespace

user_names host_users() {
  return [](std::uint32_t uid) -> std::optional<std::string> {
    std::array<char, 16u << 10> buffer{};
    passwd entry{};
    passwd* found = nullptr;
    if (::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr)
      return std::nullopt;
    return found->pw_name;
  };
}

user_names unknown_users() {
  return [](std::uint32_t) { return std::optional<std::string>{}; };
}

std::string owner_name(const caller& owner, const user_names& users) {
  if (owner.kind == caller_kind::certificate)
    return io::printable(owner.subject);
  auto name = users(owner.uid);
  return name ? io::printable(*name) : to_string(owner);
}

std::string age(std::int64_t since_ms, std::int64_t now_ms) {
  auto seconds = std::max<std::int64_t>(0, now_ms - since_ms) / 1000;
  if (seconds < 60)
    return std::to_string(seconds) + " s";
  if (seconds < 3600)
    return std::to_string(seconds / 60) + " min";
  if (seconds < 48 * 3600)
    return std::to_string(seconds / 3600) + " h";
  return std::to_string(seconds / (24 * 3600)) + " d";
}

std::string state_words(const vm_info& vm) {
  if (vm.state == vm_state::dead)
    return "dead: " + to_string(vm.reason);
  return to_string(vm.state) + (vm.suspended ? ", suspended" : "");
}

std::string list_report(const std::vector<vm_info>& vms, output_format how, const vm_shown& with) {
  if (how == output_format::table)
    return list_table(vms, with);
  std::vector<json> all;
  for (const auto& vm : vms)
    add_vm_json(all.emplace_back(), vm, with.users);
  return list_json("vms", std::move(all), how);
}

std::string vm_report(const vm_info& vm, output_format how, const vm_shown& with) {
  if (how == output_format::table)
    return vm_table(vm, with);
  json object{{"schema", event_schema}};
  add_vm_json(object, vm, with.users);
  return json_text(object, how == output_format::json);
}

std::string balloon_report(const balloon_info& balloon, output_format how) {
  if (how == output_format::table)
    return size_words(balloon.size_bytes) + " of " + size_words(balloon.memory_bytes) + '\n';
  return json_text({{"schema", event_schema},
                    {"size_bytes", balloon.size_bytes},
                    {"memory_bytes", balloon.memory_bytes}},
                   how == output_format::json);
}

} // namespace crosvisor::cli
