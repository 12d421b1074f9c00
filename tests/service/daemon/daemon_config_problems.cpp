// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/tests/service/daemon/parsed_config.hpp"

#include "crosvisor/tests/io/temp_dir.hpp"

#include <cerrno>
#include <iterator>
#include <utility>

#undef CAF_SUITE
#define CAF_SUITE service.daemon.daemon_config_problems

using namespace crosvisor;
using namespace crosvisor::tests;
using namespace std::chrono_literals;

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
    {"images", "per_user", "2049", "2049 is out of range; allowed is 1 to 2048"},
    {"images", "most", "0", "0 is out of range; allowed is 1 to 2048"},
    {"images", "mib_per_user", "0", "0 is out of range; allowed is 1 to 16777216"},
    {"images", "mib", "16777217", "16777217 is out of range; allowed is 1 to 16777216"},
    {"images", "uploads_per_user", "65", "65 is out of range; allowed is 1 to 64"},
    {"images", "upload_age_s", "59", "59 is out of range; allowed is 60 to 604800"},
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
