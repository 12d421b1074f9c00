// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/tests/service/daemon/parsed_config.hpp"

#include "crosvisor/tests/io/temp_dir.hpp"

#include <cerrno>
#include <iterator>
#include <utility>

#undef CAF_SUITE
#define CAF_SUITE service.daemon.daemon_config

using namespace crosvisor;
using namespace crosvisor::tests;
using namespace std::chrono_literals;

CAF_TEST(an empty file is a configuration) {
  for (std::string text : {"", "{}", "// nothing\n", "{\n  /* nothing */\n}\n"}) {
    auto config = good(text);
    CAF_CHECK_EQUAL(config.socket, "");
    CAF_CHECK(!config.socket_mode && !config.socket_gid && !config.tls);
    CAF_CHECK_EQUAL(config.cids.first, 2048u);
    CAF_CHECK_EQUAL(config.stop_grace, 10s);
    CAF_CHECK_EQUAL(config.shutdown_bound, 60s);
    CAF_CHECK_EQUAL(config.first_vmm_uid, 0x70000000u);
    CAF_CHECK(config.log_level == log::level::info);
    for (const auto& nobody : config.grants.of)
      CAF_CHECK(nobody.uids.empty() && nobody.gids.empty() && nobody.subjects.empty());
  }
}

CAF_TEST(what starts with the daemon is looked for beside its configuration) {
  auto parsed = parse_daemon_config(R"({"autostart": [{"config": "vms/a.json"}]})", "/etc/x.json");
  CAF_REQUIRE(parsed);
  CAF_CHECK_EQUAL(parsed->autostart[0].config, "/etc/vms/a.json");
  CAF_CHECK_EQUAL(problem(R"({"autostart": {}})"),
                  "1:15: autostart: expected an array, got an object");
  CAF_CHECK_EQUAL(problem(R"({"autostart": [{"name": "a"}]})"),
                  "1:16: autostart[0]: \"config\" is missing");
  CAF_CHECK(problem(R"({"autostart": [{"config": "a", "name": "1"}]})")
              .starts_with("1:40: autostart[0].name: expected a VM's name"));
  CAF_CHECK(problem(R"({"autostart": [{"config": "a", "restart": "often"}]})")
              .starts_with("1:43: autostart[0].restart: expected \"never\""));
  CAF_CHECK(problem(R"({"autostart": [{"config": "a", "owner": "no such user"}]})")
              .starts_with("1:41: autostart[0].owner: there is no user"));
}

CAF_TEST(every key is read) {
  auto config = good(R"({
    "socket": {"path": "/run/c//d.sock", "group": "root", "mode": "0660"}, // "x"
    "tls": {"listen": "[::1]:7443", "certificate": "/c.pem", "key": "/k.pem", "ca": "/ca.pem"},
    "permissions": {
      "manage": {"users": ["root"], "uids": [1000, 1001], "groups": ["root"], "gids": [4294967294]},
      "debug": {"subjects": ["CN=a,O=/*no comment*/"]},
      "custom": {}
    },
    "cids": {"first": 3, "last": 9},
    "limits": {"connections_per_user": 1, "connections": 2, "message_kib": 64, "unread_kib": 1024,
               "handshake_s": 3, "silence_s": 4, "vms_per_user": 5},
    "references": {"grace_s": 0},
    "stop": {"grace_s": 6, "shutdown_s": 7},
    "images": {"workers": 8, "per_user": 5, "most": 6, "mib_per_user": 7, "mib": 9,
               "uploads_per_user": 3, "upload_age_s": 61},
    "programs": {"crosvm": "/a", "qemu": "/b", "vsock_device": "/c", "nbdkit_plugin": "/d",
                 "os_folder": "/e", "keeper": "/f"},
    "vmm": {"first_uid": 65536, "cgroup": "/g"},
    "autostart": [{"config": "/vms/a.json"},
                  {"config": "b.json", "name": "b", "owner": "root", "restart": "on_failure"},
                  {"config": "c.json", "owner": 1000}],
    "log": "debug"
  })");
  CAF_CHECK_EQUAL(config.keeper, "/f");
  CAF_CHECK_EQUAL(config.vmm_cgroup, "/g");
  CAF_REQUIRE_EQUAL(config.autostart.size(), 3u);
  CAF_CHECK_EQUAL(config.autostart[0].config, "/vms/a.json");
  CAF_CHECK(!config.autostart[0].owner_uid && !config.autostart[0].restart);
  CAF_CHECK_EQUAL(config.autostart[1].name, "b");
  CAF_CHECK_EQUAL(config.autostart[1].owner_uid.value(), 0u);
  CAF_CHECK(config.autostart[1].restart == restart_policy::on_failure);
  CAF_CHECK_EQUAL(config.autostart[2].owner_uid.value(), 1000u);
  CAF_CHECK_EQUAL(config.socket, "/run/c//d.sock");
  CAF_CHECK_EQUAL(config.socket_gid.value(), 0u);
  CAF_CHECK_EQUAL(config.socket_mode.value(), 0660u);
  CAF_CHECK_EQUAL(config.tls.value().address, "::1");
  CAF_CHECK_EQUAL(config.tls.value().port, 7443u);
  CAF_CHECK_EQUAL(config.tls.value().files.certificate, "/c.pem");
  CAF_CHECK_EQUAL(config.tls.value().files.key, "/k.pem");
  CAF_CHECK_EQUAL(config.tls.value().files.ca, "/ca.pem");
  using ids = std::vector<std::uint32_t>;
  CAF_CHECK_EQUAL(grant(config, permission::manage).uids, (ids{0, 1000, 1001}));
  CAF_CHECK_EQUAL(grant(config, permission::manage).gids, (ids{0, 4294967294}));
  CAF_CHECK_EQUAL(joined(grant(config, permission::debug).subjects), "CN=a,O=/*no comment*/");
  CAF_CHECK(grant(config, permission::custom).uids.empty());
  CAF_CHECK_EQUAL(config.cids.first, 3u);
  CAF_CHECK_EQUAL(config.cids.last, 9u);
  CAF_CHECK_EQUAL(config.bounds.peers.connections_per_principal, 1u);
  CAF_CHECK_EQUAL(config.bounds.peers.connections, 2u);
  CAF_CHECK_EQUAL(config.bounds.peers.message_bytes, 65536u);
  CAF_CHECK_EQUAL(config.bounds.peers.unread_bytes, 1u << 20);
  CAF_CHECK_EQUAL(config.bounds.peers.handshake, 3s);
  CAF_CHECK_EQUAL(config.bounds.peers.silence, 4s);
  CAF_CHECK_EQUAL(config.bounds.door.vms_per_user, 5u);
  CAF_CHECK_EQUAL(config.reference_grace, 0s);
  CAF_CHECK_EQUAL(config.stop_grace, 6s);
  CAF_CHECK_EQUAL(config.shutdown_bound, 7s);
  CAF_CHECK_EQUAL(config.image_workers, 8u);
  const auto& images = config.bounds.images;
  CAF_CHECK_EQUAL(images.per_user, 5u);
  CAF_CHECK_EQUAL(images.in_all, 6u);
  CAF_CHECK_EQUAL(images.bytes_per_user, 7u << 20);
  CAF_CHECK_EQUAL(images.bytes, 9u << 20);
  CAF_CHECK_EQUAL(images.uploads_per_user, 3u);
  CAF_CHECK_EQUAL(images.upload_age, 61s);
  CAF_CHECK_EQUAL(config.crosvm + config.qemu + config.vsock_device, "/a/b/c");
  CAF_CHECK_EQUAL(config.disk_plugin + config.os_folder, "/d/e");
  CAF_CHECK_EQUAL(config.first_vmm_uid, 65536u);
  CAF_CHECK(config.log_level == log::level::debug);
}

CAF_TEST(every bound is read) {
  auto config = good(R"({
    "limits": {"vms": 1, "requests": 2, "requests_per_user": 3, "subscriptions": 4,
               "subscriptions_per_user": 5, "images": 6, "images_per_user": 7, "tickets": 8,
               "tickets_per_user": 9, "references_per_user": 10, "subscribers_per_vm": 11,
               "output_readers_per_vm": 12, "connects_per_vm": 13, "users_per_vm": 14,
               "passes_per_vm": 15, "events_kept": 16, "output_kib": 64},
    "logs": {"file_kib": 4, "files": 2, "vms": 3},
    "restarts": {"most": 4, "window_s": 60}
  })");
  const auto& bounds = config.bounds;
  CAF_CHECK_EQUAL(bounds.door.vms, 1u);
  CAF_CHECK_EQUAL(bounds.door.requests, 2u);
  CAF_CHECK_EQUAL(bounds.door.requests_per_user, 3u);
  CAF_CHECK_EQUAL(bounds.door.subscriptions, 4u);
  CAF_CHECK_EQUAL(bounds.door.subscriptions_per_user, 5u);
  CAF_CHECK_EQUAL(bounds.door.images, 6u);
  CAF_CHECK_EQUAL(bounds.door.images_per_user, 7u);
  CAF_CHECK_EQUAL(bounds.tickets.in_all, 8u);
  CAF_CHECK_EQUAL(bounds.tickets.per_uid, 9u);
  CAF_CHECK_EQUAL(bounds.door.references_per_user, 10u);
  CAF_CHECK_EQUAL(bounds.door.subscribers_per_vm, 11u);
  CAF_CHECK_EQUAL(bounds.door.output_readers_per_vm, 12u);
  CAF_CHECK_EQUAL(bounds.door.connects_per_vm, 13u);
  CAF_CHECK_EQUAL(bounds.door.users_per_vm, 14u);
  CAF_CHECK_EQUAL(bounds.door.passes_per_vm, 15u);
  CAF_CHECK_EQUAL(bounds.door.events_kept, 16u);
  CAF_CHECK_EQUAL(bounds.output_bytes, 65536u);
  CAF_CHECK_EQUAL(bounds.logs.each.file_bytes, 4096u);
  CAF_CHECK_EQUAL(bounds.logs.each.files, 2u);
  CAF_CHECK_EQUAL(bounds.logs.vms, 3u);
  CAF_CHECK_EQUAL(bounds.restarts.most, 4u);
  CAF_CHECK_EQUAL(bounds.restarts.window, 60s);
}

CAF_TEST(files are loaded) {
  temp_dir dir;
  auto file = dir.write("a.json", "{\"log\": \"warn\"}");
  auto loaded = load_daemon_config(file, true);
  CAF_REQUIRE(static_cast<bool>(loaded));
  CAF_CHECK(loaded->log_level == log::level::warn);
  auto bad = load_daemon_config(dir.write("b.json", "{\n\"lgo\": 1}"), false);
  CAF_REQUIRE(!bad);
  CAF_CHECK_EQUAL(bad.why().what,
                  dir / "b.json" + ":2:1: unknown key \"lgo\"; did you mean \"log\"?");
}

CAF_TEST(a missing file is fine unless it was asked for) {
  temp_dir dir;
  CAF_CHECK(static_cast<bool>(load_daemon_config(dir / "none.json", false)));
  auto required = load_daemon_config(dir / "none.json", true);
  CAF_REQUIRE(!required);
  CAF_CHECK_EQUAL(required.why().code, ENOENT);
  CAF_CHECK_EQUAL(required.why().what, dir / "none.json" + ": no such file");
  auto folder = load_daemon_config(dir.path(), false);
  CAF_REQUIRE(!folder);
  CAF_CHECK_EQUAL(folder.why().what,
                  dir.path() + ": is a directory; a configuration is a JSON file");
}

CAF_TEST(what counts from the next start on is known) {
  daemon_config now;
  CAF_CHECK_EQUAL(joined(changes_for_restart(now, now)), "");
  auto next = now;
  next.log_level = log::level::debug;
  next.shutdown_bound = 1s;
  next.grants.of[0].uids.push_back(1);
  CAF_CHECK_EQUAL(joined(changes_for_restart(now, next)), "");
  next.socket_mode = 0660;
  next.tls.emplace().port = 1;
  next.cids.last = 4096;
  next.bounds.peers.silence = 3s;
  next.bounds.logs.vms = 3;
  next.bounds.restarts.most = 3;
  next.reference_grace = 1s;
  next.stop_grace = 1s;
  next.bounds.images.per_user = 1;
  next.os_folder = "/x";
  next.first_vmm_uid = 0;
  CAF_CHECK_EQUAL(joined(changes_for_restart(now, next)),
                  "socket tls.listen cids limits logs restarts references stop.grace_s images "
                  "programs vmm");
  auto renewed = next;
  renewed.tls->files.certificate = "/other";
  CAF_CHECK_EQUAL(joined(changes_for_restart(next, renewed)), "");
}

CAF_TEST(the example is sound and says the defaults) {
  auto loaded = load_daemon_config(CROSVISOR_EXAMPLE_CONFIG, true);
  if (!loaded)
    CAF_FAIL(loaded.why().what);
  CAF_CHECK_EQUAL(joined(changes_for_restart(daemon_config{}, *loaded)), "");
  CAF_CHECK_EQUAL(loaded->shutdown_bound, daemon_config{}.shutdown_bound);
  CAF_CHECK(loaded->log_level == daemon_config{}.log_level);
  for (const auto& nobody : loaded->grants.of)
    CAF_CHECK(nobody.uids.empty() && nobody.gids.empty() && nobody.subjects.empty());
}

CAF_TEST(what the example has in comments is sound too) {
  // Lines that begin with `//=` are keys that are off.
  auto text = read_file(CROSVISOR_EXAMPLE_CONFIG);
  std::size_t turned_on = 0;
  for (auto at = text.find("//="); at != std::string::npos; at = text.find("//=", at), ++turned_on)
    text.replace(at, 3, "   ");
  CAF_CHECK(turned_on > 5);
  auto config = good(text);
  CAF_CHECK(config.tls.has_value());
  CAF_CHECK(!grant(config, permission::debug).subjects.empty());
}
