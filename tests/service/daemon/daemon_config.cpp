// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/daemon/daemon_config.hpp"

#include "crosvisor/tests/io/temp_dir.hpp"

#include <caf/test/dsl.hpp>

#include <cerrno>
#include <iterator>
#include <utility>

#undef CAF_SUITE
#define CAF_SUITE service.daemon.daemon_config

using namespace crosvisor;
using namespace crosvisor::tests;
using namespace std::chrono_literals;

namespace {

daemon_config good(const std::string& text) {
  auto parsed = parse_daemon_config(text, "f");
  if (!parsed)
    CAF_FAIL(parsed.why().what);
  return *parsed;
}

/// What is wrong with `text`, without the file's name.
std::string problem(const std::string& text) {
  auto parsed = parse_daemon_config(text, "f");
  return parsed ? "none" : parsed.why().what.substr(2);
}

/// The value that belongs to a key of the configuration's second level, and what is wrong with it.
struct wrong_value {
  const char* part;
  const char* key;
  const char* value;
  const char* what;
};

const permission_grant& grant(const daemon_config& config, permission what) {
  return config.grants.of[static_cast<std::size_t>(what)];
}

std::string joined(const std::vector<std::string>& words) {
  std::string all;
  for (const auto& word : words)
    all += (all.empty() ? "" : " ") + word;
  return all;
}

} // namespace

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
    "images": {"workers": 8},
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

CAF_TEST(every wrong value is refused where it stands) {
  const wrong_value wrong[] = {
    {"socket", "path", R"("d.sock")", R"(expected an absolute path, got "d.sock")"},
    {"socket", "path", R"("")", R"(expected the path of a file, got "")"},
    {"socket", "path", "1", "expected the path of a file, got 1"},
    {"socket", "group", R"("no such group")", R"(there is no group "no such group" on this host)"},
    {"socket", "group", "-1", "-1 is out of range; allowed is 0 to 4294967294"},
    {"socket", "group", "[]", "expected a group's name or number, got an array"},
    {"socket", "mode", "660",
     R"(expected octal digits from "0600" to "0666", without execution, got 660)"},
    {"socket", "mode", R"("0755")",
     R"(expected octal digits from "0600" to "0666", without execution, got "0755")"},
    {"socket", "mode", R"("0066")",
     R"(expected octal digits from "0600" to "0666", without execution, got "0066")"},
    {"socket", "mode", R"("068")",
     R"(expected octal digits from "0600" to "0666", without execution, got "068")"},
    {"cids", "first", "2", "2 is out of range; allowed is 3 to 4294967294"},
    {"cids", "last", "4294967295", "4294967295 is out of range; allowed is 3 to 4294967294"},
    {"limits", "connections_per_user", "0", "0 is out of range; allowed is 1 to 65536"},
    {"limits", "connections", "65537", "65537 is out of range; allowed is 1 to 65536"},
    {"limits", "message_kib", "63", "63 is out of range; allowed is 64 to 16384"},
    {"limits", "unread_kib", "1048577", "1048577 is out of range; allowed is 1024 to 1048576"},
    {"limits", "handshake_s", "61", "61 is out of range; allowed is 1 to 60"},
    {"limits", "silence_s", "2", "2 is out of range; allowed is 3 to 300"},
    {"limits", "vms_per_user", "1.5", "expected a whole number, got 1.5"},
    {"limits", "vms", "0", "0 is out of range; allowed is 1 to 65536"},
    {"limits", "requests", "1048577", "1048577 is out of range; allowed is 1 to 1048576"},
    {"limits", "requests_per_user", "65537", "65537 is out of range; allowed is 1 to 65536"},
    {"limits", "subscriptions", "0", "0 is out of range; allowed is 1 to 1048576"},
    {"limits", "subscriptions_per_user", "0", "0 is out of range; allowed is 1 to 65536"},
    {"limits", "images", "0", "0 is out of range; allowed is 1 to 65536"},
    {"limits", "images_per_user", "0", "0 is out of range; allowed is 1 to 65536"},
    {"limits", "tickets", "0", "0 is out of range; allowed is 1 to 65536"},
    {"limits", "tickets_per_user", "0", "0 is out of range; allowed is 1 to 65536"},
    {"limits", "references_per_user", "0", "0 is out of range; allowed is 1 to 65536"},
    {"limits", "subscribers_per_vm", "0", "0 is out of range; allowed is 1 to 65536"},
    {"limits", "output_readers_per_vm", "65", "65 is out of range; allowed is 1 to 64"},
    {"limits", "connects_per_vm", "4097", "4097 is out of range; allowed is 1 to 4096"},
    {"limits", "users_per_vm", "65", "65 is out of range; allowed is 1 to 64"},
    {"limits", "passes_per_vm", "1025", "1025 is out of range; allowed is 1 to 1024"},
    {"limits", "events_kept", "15", "15 is out of range; allowed is 16 to 4096"},
    {"limits", "output_kib", "63", "63 is out of range; allowed is 64 to 65536"},
    {"logs", "file_kib", "3", "3 is out of range; allowed is 4 to 1048576"},
    {"logs", "files", "0", "0 is out of range; allowed is 1 to 64"},
    {"logs", "vms", "4097", "4097 is out of range; allowed is 1 to 4096"},
    {"restarts", "most", "0", "0 is out of range; allowed is 1 to 1000"},
    {"restarts", "window_s", "59", "59 is out of range; allowed is 60 to 604800"},
    {"references", "grace_s", "3601", "3601 is out of range; allowed is 0 to 3600"},
    {"stop", "grace_s", "\"10\"", "expected a whole number, got \"10\""},
    {"stop", "shutdown_s", "0", "0 is out of range; allowed is 1 to 3600"},
    {"images", "workers", "65", "65 is out of range; allowed is 1 to 64"},
    {"programs", "crosvm", R"("crosvm")", R"(expected an absolute path, got "crosvm")"},
    {"programs", "qemu", "null", "expected the path of a file, got null"},
    {"programs", "vsock_device", R"("a")", R"(expected an absolute path, got "a")"},
    {"programs", "nbdkit_plugin", R"("a")", R"(expected an absolute path, got "a")"},
    {"programs", "os_folder", R"("a")", R"(expected an absolute path, got "a")"},
    {"vmm", "first_uid", "-1", "-1 is out of range; allowed is 0 to 4294967294"},
  };
  for (const auto& [part, key, value, what] : wrong) {
    auto text = "{\"" + std::string{part} + "\":\n {\"" + key + "\":\n  " + value + "}}";
    CAF_CHECK_EQUAL(problem(text), "3:3: " + std::string{part} + '.' + key + ": " + what);
  }
}

CAF_TEST(unknown keys are refused with what was meant) {
  CAF_CHECK_EQUAL(problem("{\"sokcet\": {}}"),
                  "1:2: unknown key \"sokcet\"; did you mean \"socket\"?");
  CAF_CHECK_EQUAL(problem("{\"stop\": {\"grace_m\": 1}}"),
                  "1:11: unknown key \"grace_m\"; did you mean \"grace_s\"?");
  CAF_CHECK_EQUAL(problem("{\"permissions\": {\"manage\": {\"user\": []}}}"),
                  "1:29: unknown key \"user\"; did you mean \"users\"?");
  CAF_CHECK_EQUAL(problem("{\"permissions\": {\"everything\": {}}}"),
                  "1:18: unknown key \"everything\"");
}

CAF_TEST(parts have their kinds) {
  CAF_CHECK_EQUAL(problem("[]"), "1:1: configuration: expected an object, got an array");
  CAF_CHECK_EQUAL(problem("{\"limits\": 1}"), "1:12: limits: expected an object, got 1");
  CAF_CHECK_EQUAL(problem("{\"log\": \"loud\"}"),
                  "1:9: log: expected \"debug\", \"info\", \"warn\" or \"error\", got \"loud\"");
  CAF_CHECK_EQUAL(problem("{\"log\": 1}"),
                  "1:9: log: expected \"debug\", \"info\", \"warn\" or \"error\", got 1");
}

CAF_TEST(names and ids are refused by their places) {
  auto manage = [](const std::string& grant) {
    return problem("{\"permissions\": {\"manage\": {" + grant + "}}}");
  };
  CAF_CHECK_EQUAL(manage(R"("users": ["root", "no such user"])"),
                  "1:47: permissions.manage.users[1]: there is no user \"no such user\" on this "
                  "host");
  CAF_CHECK_EQUAL(manage(R"("groups": ["no such group"])"),
                  "1:40: permissions.manage.groups[0]: there is no group \"no such group\" on this "
                  "host");
  CAF_CHECK_EQUAL(manage(R"("users": [0])"),
                  "1:39: permissions.manage.users[0]: expected a user's name, got 0");
  CAF_CHECK_EQUAL(manage(R"("uids": [4294967295])"),
                  "1:38: permissions.manage.uids[0]: 4294967295 is out of range; allowed is 0 to "
                  "4294967294");
  CAF_CHECK_EQUAL(manage(R"("gids": ["root"])"),
                  "1:38: permissions.manage.gids[0]: expected a whole number, got \"root\"");
  CAF_CHECK_EQUAL(manage(R"("gids": 0)"),
                  "1:37: permissions.manage.gids: expected an array, got 0");
  CAF_CHECK_EQUAL(
    manage(R"("subjects": [""])"),
    "1:42: permissions.manage.subjects[0]: expected a certificate's subject, got \"\"");
  CAF_CHECK_EQUAL(manage("\"subjects\": [\"" + std::string(1025, 'x') + "\"]"),
                  "1:42: permissions.manage.subjects[0]: a text of 1025 bytes; at most 1024 are "
                  "allowed");
  CAF_CHECK_EQUAL(manage("\"users\": [\"" + std::string(257, 'x') + "\"]"),
                  "1:39: permissions.manage.users[0]: a text of 257 bytes; at most 256 are "
                  "allowed");
}

CAF_TEST(tls is given whole or not at all) {
  std::string files = R"("certificate": "/c", "key": "/k", "ca": "/a")";
  CAF_CHECK_EQUAL(problem("{\"tls\": {" + files + "}}"),
                  "1:9: tls: \"listen\" is missing; listen, certificate, key and ca are given "
                  "together or not at all");
  CAF_CHECK_EQUAL(problem(R"({"tls": {"listen": "1.2.3.4:5", "certificate": "/c", "key": "/k"}})"),
                  "1:9: tls: \"ca\" is missing; listen, certificate, key and ca are given together "
                  "or not at all");
  CAF_CHECK_EQUAL(problem(R"({"tls": {"key": "k"}})"),
                  "1:17: tls.key: expected an absolute path, got \"k\"");
}

CAF_TEST(addresses to listen on are numbers) {
  auto listen = [](const std::string& address) {
    return R"({"tls": {"listen": ")" + address
           + R"(", "certificate": "/c", "key": "/k", "ca": "/a"}})";
  };
  for (std::string fine : {"0.0.0.0:1", "127.0.0.1:65535", "[::]:7443", "[2001:db8::1]:7443"})
    CAF_CHECK_EQUAL(problem(listen(fine)), "none");
  for (std::string wrong : {"", "7443", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536",
                            "127.0.0.1:+1", "127.0.0.1:1 ", "localhost:1", "::1:7443", "[::1]",
                            "[127.0.0.1]:1", "[::1:7443", "[]:1", "1.2.3:4", "[fe80::1%eth0]:1"})
    CAF_CHECK_EQUAL(problem(listen(wrong)),
                    "1:20: tls.listen: expected an address and a port, such "
                    "as \"192.0.2.1:7443\" or \"[2001:db8::1]:7443\", got \""
                      + wrong + "\"");
}

CAF_TEST(both sockets paths must fit) {
  auto path = [](std::size_t bytes) {
    return "{\"socket\": {\"path\": \"/" + std::string(bytes - 1, 'x') + "\"}}";
  };
  CAF_CHECK_EQUAL(problem(path(103)), "none");
  CAF_CHECK_EQUAL(problem(path(104)),
                  "1:21: socket.path: a path of 104 bytes; at most 103 are allowed");
}

CAF_TEST(ranges belong together) {
  CAF_CHECK_EQUAL(problem(R"({"cids": {"first": 10, "last": 9}})"),
                  "1:10: cids: first, 10, is above last, 9");
  CAF_CHECK_EQUAL(problem(R"({"vmm": {"first_uid": 0}})"), "none");
  CAF_CHECK_EQUAL(problem(R"({"vmm": {"first_uid": 4294901759}})"), "none");
  for (std::string uid : {"1000", "65535", "4294901760"})
    CAF_CHECK_EQUAL(
      problem("{\"vmm\": {\"first_uid\": " + uid + "}}"),
      "1:2: vmm.first_uid: " + uid
        + " is out of range; allowed is 0, or 65536 to 4294901759, since the last CID "
          "is added to it");
  CAF_CHECK_EQUAL(problem(R"({"cids": {"last": 4294967294}})"),
                  "1:2: vmm.first_uid: 1879048192 is out of range; allowed is 0 alone, since the "
                  "last CID is added to it");
}

CAF_TEST(comments and malformed text have places) {
  CAF_CHECK_EQUAL(problem("// a\n/* b\n*/ {\"x\": 1}"), "3:5: unknown key \"x\"");
  CAF_CHECK_EQUAL(problem("{} /*"), "1:4: the comment that begins here does not end");
  CAF_CHECK(problem("{").starts_with("1:2: malformed JSON"));
  CAF_CHECK_EQUAL(problem("{\"log\": \"info\", \"log\": \"info\"}"),
                  "1:17: key \"log\" is given twice");
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
  next.image_workers = 1;
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
