// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/daemon/daemon_places.hpp"

#include "crosvisor/tests/io/temp_dir.hpp"

#include <caf/test/dsl.hpp>

#include <sys/stat.h>

#include <map>

#undef CAF_SUITE
#define CAF_SUITE service.daemon.daemon_places

using namespace crosvisor;
using namespace crosvisor::tests;

namespace {

constexpr uid_t alice = 1000;

environment with(std::map<std::string, std::string> variables) {
  return [variables = std::move(variables)](const char* name) -> std::optional<std::string> {
    auto i = variables.find(name);
    return i == variables.end() ? std::nullopt : std::optional{i->second};
  };
}

/// `CONFIG SOCKET STATE`, or what is wrong.
std::string found(const daemon_arguments& arguments, const environment& variables, uid_t uid) {
  auto places = find_daemon_places(arguments, variables, uid);
  if (!places)
    return places.why().what;
  return places->config + ' ' + places->socket + ' ' + places->where.state;
}

mode_t mode_of(const std::string& path) {
  struct stat is {};
  CAF_REQUIRE_EQUAL(::lstat(path.c_str(), &is), 0);
  return is.st_mode & 07777u;
}

} // namespace

CAF_TEST(the hosts daemon has the hosts places) {
  CAF_CHECK_EQUAL(
    found({}, with({{"XDG_RUNTIME_DIR", "/run/user/0"}, {"HOME", "/root"}}), 0),
    "/etc/crosvisor/crosvisor.json /run/crosvisor/crosvisord.sock /var/lib/crosvisor");
  CAF_CHECK_EQUAL(found({"a.json", false, false}, with({}), 0),
                  "a.json /run/crosvisor/crosvisord.sock /var/lib/crosvisor");
  CAF_CHECK_EQUAL(
    found({}, with({{"CROSVISOR_RUNTIME_DIR", "/r"}, {"CROSVISOR_STATE_DIR", "/s"}}), 0),
    "/etc/crosvisor/crosvisor.json /r/crosvisord.sock /s");
}

CAF_TEST(only root can run it) {
  CAF_CHECK_EQUAL(found({}, with({{"XDG_RUNTIME_DIR", "/run/user/1000"}}), alice),
                  "only root can run the host's daemon; for one of your own use `crosvisord "
                  "--user`");
}

CAF_TEST(a users daemon has the users places) {
  daemon_arguments user{{}, false, true};
  auto variables = with({{"XDG_RUNTIME_DIR", "/run/user/1000"},
                         {"XDG_CONFIG_HOME", "/home/alice/c"},
                         {"XDG_STATE_HOME", "/home/alice/s"},
                         {"HOME", "/home/alice"}});
  auto places = "/home/alice/c/crosvisor/crosvisor.json /run/user/1000/crosvisor/crosvisord.sock "
                "/home/alice/s/crosvisor";
  CAF_CHECK_EQUAL(found(user, variables, alice), places);
  CAF_CHECK_EQUAL(found(user, variables, 0), places);
  CAF_CHECK_EQUAL(
    found(user, with({{"XDG_RUNTIME_DIR", "/run/user/1000"}, {"HOME", "/home/alice"}}), alice),
    "/home/alice/.config/crosvisor/crosvisor.json /run/user/1000/crosvisor/crosvisord.sock "
    "/home/alice/.local/state/crosvisor");
}

CAF_TEST(a user without places is told) {
  daemon_arguments user{{}, false, true};
  CAF_CHECK(found(user, with({{"HOME", "/h"}}), alice).starts_with("XDG_RUNTIME_DIR is not set"));
  CAF_CHECK(found(user, with({{"XDG_RUNTIME_DIR", "/r"}}), alice).starts_with("HOME is not set"));
  auto none = find_config(user, with({{"XDG_CONFIG_HOME", "relative"}}));
  CAF_CHECK_EQUAL(none.config, "");
}

CAF_TEST(the configuration is completed by the mode) {
  temp_dir dir;
  daemon_places places;
  places.socket = "/run/x.sock";
  places.config = dir / "none.json";
  auto host = load_config_of(places, false, 0);
  CAF_REQUIRE(static_cast<bool>(host));
  CAF_CHECK_EQUAL(host->socket, "/run/x.sock");
  CAF_CHECK_EQUAL(host->socket_mode.value(), 0666u);
  CAF_CHECK_EQUAL(host->first_vmm_uid, 0x70000000u);
  CAF_CHECK(host->grants.of[0].uids.empty());
  auto user = load_config_of(places, true, alice);
  CAF_REQUIRE(static_cast<bool>(user));
  CAF_CHECK_EQUAL(user->socket_mode.value(), 0600u);
  CAF_CHECK_EQUAL(user->first_vmm_uid, 0u);
  for (const auto& grant : user->grants.of)
    CAF_CHECK_EQUAL(grant.uids, std::vector<std::uint32_t>{alice});
}

CAF_TEST(what the configuration says counts first) {
  temp_dir dir;
  daemon_places places;
  places.socket = "/run/x.sock";
  places.config = dir.write("a.json", R"({"socket": {"path": "/run/y.sock", "mode": "0660"}})");
  auto user = load_config_of(places, true, alice);
  CAF_REQUIRE(static_cast<bool>(user));
  CAF_CHECK_EQUAL(user->socket, "/run/y.sock");
  CAF_CHECK_EQUAL(user->socket_mode.value(), 0660u);
}

CAF_TEST(a configuration that was asked for must be there) {
  temp_dir dir;
  daemon_places places;
  places.config = dir / "none.json";
  places.config_required = true;
  auto loaded = load_config_of(places, false, 0);
  CAF_REQUIRE(!loaded);
  CAF_CHECK_EQUAL(loaded.why().what, dir / "none.json" + ": no such file");
}

CAF_TEST(the hosts directory can be reached and the users not ) {
  temp_dir dir;
  CAF_REQUIRE(static_cast<bool>(make_runtime_dir(dir / "user", true)));
  CAF_CHECK_EQUAL(mode_of(dir / "user"), mode_t{0700});
  CAF_REQUIRE(static_cast<bool>(make_runtime_dir(dir / "host", false)));
  CAF_CHECK_EQUAL(mode_of(dir / "host"), mode_t{0755});
  // One that `crosvisor run` made before.
  CAF_REQUIRE(static_cast<bool>(make_runtime_dir(dir / "user", false)));
  CAF_CHECK_EQUAL(mode_of(dir / "user"), mode_t{0755});
  std::filesystem::create_symlink(dir / "user", dir / "link");
  CAF_CHECK(!make_runtime_dir(dir / "link", false));
}
