// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/vm_report.hpp"

#include "crosvisor/tests/cli/fake_connection.hpp"

#include <caf/test/dsl.hpp>

#include <nlohmann/json.hpp>

#undef CAF_SUITE
#define CAF_SUITE cli.vm_report

using namespace crosvisor;
using namespace crosvisor::cli;
using crosvisor::tests::sample_vm;
using json = nlohmann::json;

namespace {

constexpr std::int64_t created = 1'800'000'000'000;

std::optional<std::string> some_users(std::uint32_t uid) {
  if (uid == 1000)
    return "alice";
  if (uid == 0)
    return "root";
  return std::nullopt;
}

vm_shown shown() {
  return {some_users, created + 3 * 60'000, term{}};
}

std::vector<vm_info> samples() {
  auto first = sample_vm();
  auto second = sample_vm(2049, "build7");
  second.state = vm_state::finished;
  second.owner.uid = 0;
  second.vmm = vmm_kind::crosvm;
  second.accel = accel_kind::kvm;
  second.memory_mib = 4096;
  second.created_ms -= 2 * 3'600'000;
  return {first, second};
}

std::string state_of(vm_state state, bool suspended = false,
                     death_reason reason = death_reason::unknown) {
  auto vm = sample_vm();
  vm.state = state;
  vm.suspended = suspended;
  vm.reason = reason;
  return state_words(vm);
}

} // namespace

CAF_TEST(a list has columns as wide as they must be) {
  CAF_CHECK_EQUAL(list_report(samples(), output_format::table, shown()),
                  "CID   NAME    STATE     OWNER  VMM         MEMORY    RESTARTS  SINCE\n"
                  "2048  demo    ready     alice  qemu tcg    128 MiB   0         3 min\n"
                  "2049  build7  finished  root   crosvm kvm  4096 MiB  0         2 h\n");
}

CAF_TEST(a list of nothing is its titles) {
  CAF_CHECK_EQUAL(list_report({}, output_format::table, shown()),
                  "CID  NAME  STATE  OWNER  VMM  MEMORY  RESTARTS  SINCE\n");
  CAF_CHECK_EQUAL(list_report({}, output_format::jsonl, shown()), "");
  auto object = json::parse(list_report({}, output_format::json, shown()));
  CAF_CHECK_EQUAL(object["schema"], 1);
  CAF_CHECK_EQUAL(object["vms"].size(), 0u);
}

CAF_TEST(every state has its words) {
  CAF_CHECK_EQUAL(state_of(vm_state::not_started), "not_started");
  CAF_CHECK_EQUAL(state_of(vm_state::starting), "starting");
  CAF_CHECK_EQUAL(state_of(vm_state::started), "started");
  CAF_CHECK_EQUAL(state_of(vm_state::started, true), "started, suspended");
  CAF_CHECK_EQUAL(state_of(vm_state::ready), "ready");
  CAF_CHECK_EQUAL(state_of(vm_state::finished), "finished");
  CAF_CHECK_EQUAL(state_of(vm_state::dead, false, death_reason::crash), "dead: crash");
  CAF_CHECK_EQUAL(state_of(vm_state::dead, true, death_reason::shutdown), "dead: shutdown");
}

CAF_TEST(owners are named where they have names) {
  caller owner{caller_kind::socket, 1000, 1000, {}, 1, "", ""};
  CAF_CHECK_EQUAL(owner_name(owner, some_users), "alice");
  CAF_CHECK_EQUAL(owner_name(owner, unknown_users()), "uid 1000");
  owner.uid = 4000;
  CAF_CHECK_EQUAL(owner_name(owner, some_users), "uid 4000");
  caller other{caller_kind::certificate, 0, 0, {}, 0, "", "CN=alice,O=Ex\x1b[2J"};
  CAF_CHECK_EQUAL(owner_name(other, some_users), "CN=alice,O=Ex\\x1b[2J");
  CAF_CHECK_EQUAL(host_users()(0).value_or("?"), "root");
  CAF_CHECK(!host_users()(0xfffffff0));
}

CAF_TEST(an age is told in its largest unit) {
  auto of = [](std::int64_t seconds) { return age(created, created + seconds * 1000); };
  CAF_CHECK_EQUAL(of(0), "0 s");
  CAF_CHECK_EQUAL(of(-5), "0 s");
  CAF_CHECK_EQUAL(of(59), "59 s");
  CAF_CHECK_EQUAL(of(60), "1 min");
  CAF_CHECK_EQUAL(of(3599), "59 min");
  CAF_CHECK_EQUAL(of(3600), "1 h");
  CAF_CHECK_EQUAL(of(47 * 3600), "47 h");
  CAF_CHECK_EQUAL(of(48 * 3600), "2 d");
}

CAF_TEST(programs get one object or one a line) {
  auto all = json::parse(list_report(samples(), output_format::json, shown()));
  CAF_CHECK_EQUAL(all["schema"], 1);
  CAF_CHECK_EQUAL(all["vms"].size(), 2u);
  CAF_CHECK(!all["vms"][0].contains("schema"));
  auto lines = list_report(samples(), output_format::jsonl, shown());
  CAF_CHECK_EQUAL(std::count(lines.begin(), lines.end(), '\n'), 2);
  auto first = json::parse(lines.substr(0, lines.find('\n')));
  CAF_CHECK_EQUAL(first["schema"], 1);
  CAF_CHECK_EQUAL(first["cid"], 2048);
  CAF_CHECK_EQUAL(first["state"], "ready");
  CAF_CHECK_EQUAL(first["restarts"], 0);
  CAF_CHECK_EQUAL(first["owner"]["user"], "alice");
  CAF_CHECK_EQUAL(first["created"], "2027-01-15T08:00:00.000Z");
  CAF_CHECK(!first.contains("reason"));
}

CAF_TEST(one VM is told whole) {
  CAF_CHECK_EQUAL(vm_report(sample_vm(), output_format::table, shown()),
                  "CID       2048\n"
                  "name      demo\n"
                  "state     ready\n"
                  "owner     alice\n"
                  "VMM       qemu tcg, pid 4712\n"
                  "memory    128 MiB\n"
                  "cpus      1\n"
                  "created   2027-01-15T08:00:00.000Z, 3 min ago\n"
                  "payload   not started\n"
                  "restarts  0\n");
}

CAF_TEST(of a dead VM its end is told) {
  auto vm = sample_vm();
  vm.state = vm_state::dead;
  vm.reason = death_reason::crash;
  vm.vmm_pid = 0;
  vm.exit = {exit_kind::code, 32, death_reason::crash, "the guest panicked"};
  vm.payload = {true, true, 7, true, payload_error::payload_changed};
  auto table = vm_report(vm, output_format::table, shown());
  CAF_CHECK(table.find("state     dead: crash\n") != std::string::npos);
  CAF_CHECK(table.find("payload   failed: payload_changed\n") != std::string::npos);
  CAF_CHECK(table.find("VMM ended exit code 32; the guest panicked\n") != std::string::npos);
  auto object = json::parse(vm_report(vm, output_format::json, shown()));
  CAF_CHECK_EQUAL(object["reason"], "crash");
  CAF_CHECK_EQUAL(object["vmm_exit"]["code"], 32);
  CAF_CHECK(object["vmm_pid"].is_null());
  CAF_CHECK_EQUAL(object["payload"]["exit_code"], 7);
  CAF_CHECK_EQUAL(object["payload"]["error"], "payload_changed");
}

CAF_TEST(colours are for terminals) {
  auto with = shown();
  with.paint = term{true};
  auto table = list_report(samples(), output_format::table, with);
  CAF_CHECK(table.find("\x1b[32mready\x1b[0m     alice") != std::string::npos);
}

CAF_TEST(a balloon is told in the unit that fits) {
  CAF_CHECK_EQUAL(balloon_report({64u << 20, 128u << 20}, output_format::table),
                  "64 MiB of 128 MiB\n");
  CAF_CHECK_EQUAL(balloon_report({0, 128u << 20}, output_format::table), "0 MiB of 128 MiB\n");
  CAF_CHECK_EQUAL(balloon_report({4096, 4097}, output_format::table), "4 KiB of 4097 B\n");
  CAF_CHECK_EQUAL(balloon_report({1, 2}, output_format::jsonl),
                  "{\"schema\":1,\"size_bytes\":1,\"memory_bytes\":2}\n");
}
