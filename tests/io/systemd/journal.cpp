// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/systemd/journal.hpp"
#include "crosvisor/tests/io/in_child.hpp"

#include <caf/test/dsl.hpp>

#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <set>
#include <string>

#undef CAF_SUITE
#define CAF_SUITE io.systemd.journal

using namespace crosvisor;
using namespace crosvisor::tests;

namespace {

std::string fields(log::level of, const log::about_vm* vm, const char* line) {
  std::string all;
  for (const auto& field : io::journal_fields(of, vm, line, "crosvisord"))
    all += (all.empty() ? "" : "|") + field;
  return all;
}

} // namespace

CAF_TEST(a line about a vm has its cid and name) {
  log::about_vm vm{2048, "demo"};
  CAF_CHECK_EQUAL(
    fields(log::level::info, &vm, "vm 2048 died"),
    "MESSAGE=vm 2048 died|PRIORITY=6|SYSLOG_IDENTIFIER=crosvisord|CID=2048|NAME=demo");
}

CAF_TEST(a vm without a name has its cid alone) {
  log::about_vm vm{2048, ""};
  CAF_CHECK_EQUAL(fields(log::level::debug, &vm, "x"),
                  "MESSAGE=x|PRIORITY=7|SYSLOG_IDENTIFIER=crosvisord|CID=2048");
}

CAF_TEST(another line has neither) {
  CAF_CHECK_EQUAL(fields(log::level::warn, nullptr, "x"),
                  "MESSAGE=x|PRIORITY=4|SYSLOG_IDENTIFIER=crosvisord");
  CAF_CHECK_EQUAL(fields(log::level::error, nullptr, "a=b\nc"),
                  "MESSAGE=a=b\nc|PRIORITY=3|SYSLOG_IDENTIFIER=crosvisord");
}

// -- events -------------------------------------------------------------------

CAF_TEST(a line of an event has its id) {
  log::about_vm vm{2048, "demo"};
  std::string all;
  for (const auto& field : io::journal_fields(log::level::info, &vm, "vm 2048 died", "crosvisord",
                                              log::logged_event::vm_died))
    all += field + "|";
  CAF_CHECK_EQUAL(all, "MESSAGE=vm 2048 died|PRIORITY=6|SYSLOG_IDENTIFIER=crosvisord|CID=2048|"
                       "NAME=demo|MESSAGE_ID=b1cd4299a6614ca280e24bfa88d72701|"
                       "CROSVISOR_EVENT=vm_died|");
}

CAF_TEST(each event has an id and a name of its own and the document has both) {
  std::ifstream file{CROSVISOR_METRICS_DOCUMENT};
  std::string document{std::istreambuf_iterator<char>{file}, {}};
  CAF_REQUIRE(!document.empty());
  std::set<std::string> ids, names;
  for (std::size_t i = 0; i < log::logged_event_count; ++i) {
    auto what = static_cast<log::logged_event>(i);
    std::string id = log::message_id_of(what), name = log::name_of(what);
    CAF_CHECK(id.size() == 32 && id.find_first_not_of("0123456789abcdef") == std::string::npos);
    CAF_CHECK(ids.insert(id).second && names.insert(name).second);
    CAF_CHECK(document.find("| `" + name + "` | `" + id + "` |") != std::string::npos);
  }
}

namespace {

/// In a chroot / is no mount, and can't be made private: there what is mounted may be seen by
/// others until it is unmounted.
bool make_mounts_private() {
  return ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 || errno == EINVAL;
}

/// Makes a place for the journal's socket that this process alone has, and listens there.
int listen_as_journal() {
  if (::unshare(::geteuid() == 0 ? CLONE_NEWNS : CLONE_NEWNS | CLONE_NEWUSER) != 0
      || !make_mounts_private() || ::mount("tmpfs", "/run", "tmpfs", 0, nullptr) != 0
      || ::mkdir("/run/systemd", 0755) != 0 || ::mkdir("/run/systemd/journal", 0755) != 0)
    return -1;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::string{"/run/systemd/journal/socket"}.copy(address.sun_path, sizeof(address.sun_path) - 1);
  auto socket = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  auto bound = ::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof(address));
  return bound == 0 ? socket : -1;
}

std::string receive_from(int socket) {
  char text[4096];
  auto size = ::recv(socket, text, sizeof(text), MSG_DONTWAIT);
  return size < 0 ? "(nothing)\n" : std::string{text, static_cast<std::size_t>(size)};
}

} // namespace

CAF_TEST(the journal is sent the fields of lines and events) {
  auto said = said_in_child([]() -> std::string {
    auto socket = listen_as_journal();
    if (socket < 0)
      return std::string{"no place for a journal: "} + std::strerror(errno);
    struct stat st {};
    ::fstat(STDERR_FILENO, &st);
    auto stream = std::to_string(st.st_dev) + ":" + std::to_string(st.st_ino);
    ::setenv("JOURNAL_STREAM", stream.c_str(), 1);
    io::log_to_journal();
    log::set_level(log::level::info);
    log::event(log::logged_event::vm_started, {2048, "demo"}, "vm {} runs", 2048);
    auto text = receive_from(socket);
    log::warn("no event");
    text += "--\n" + receive_from(socket);
    for (std::size_t i = 0; i < log::most_refusals_a_minute + 5; ++i)
      log::event(log::logged_event::limit_reached, "too much");
    std::size_t sent = 0;
    while (receive_from(socket) != "(nothing)\n")
      ++sent;
    ::umount2("/run", MNT_DETACH);
    return text + "--\n" + std::to_string(sent);
  });
  CAF_CHECK_EQUAL(said, "MESSAGE=vm 2048 runs\nPRIORITY=6\nSYSLOG_IDENTIFIER="
                        "crosvisor-io-systemd-test\nCID=2048\nNAME=demo\n"
                        "MESSAGE_ID=ff9a9cb10eb5491595bf95413b60281e\n"
                        "CROSVISOR_EVENT=vm_started\n"
                        "--\nMESSAGE=no event\nPRIORITY=4\nSYSLOG_IDENTIFIER="
                        "crosvisor-io-systemd-test\n--\n10");
}
