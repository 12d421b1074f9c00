// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/default_connection.hpp"

#include <caf/test/dsl.hpp>

#include <map>
#include <set>

#undef CAF_SUITE
#define CAF_SUITE cli.default_connection

using namespace crosvisor;
using namespace crosvisor::cli;

namespace {

using strings = std::vector<std::string>;

/// A machine for one test.
struct fixture {
  connection_surroundings around() {
    return {[this](const char* variable) -> std::optional<std::string> {
              auto found = variables.find(variable);
              return found == variables.end() ? std::nullopt : std::optional{found->second};
            },
            uid, [this](const std::string& path) { return sockets.count(path) > 0; }};
  }

  /// The endpoint, or `CODE SENTENCE`.
  std::string chosen(without_daemon otherwise) {
    auto options = choose_connection(given, around(), otherwise);
    if (const auto* end = std::get_if<early_end>(&options))
      return std::to_string(end->exit_code) + ' ' + end->what;
    return to_string(std::get<0>(options).where);
  }

  std::map<std::string, std::string> variables{{"HOME", "/home/alice"},
                                               {"XDG_RUNTIME_DIR", "/run/user/1000"}};
  uid_t uid = 1000;
  std::set<std::string> sockets;
  connect_arguments given;
};

const std::string own = "/run/user/1000/crosvisor/crosvisord.sock";
const std::string hosts = "/run/crosvisor/crosvisord.sock";

} // namespace

CAF_TEST_FIXTURE_SCOPE(default_connection_tests, fixture)

CAF_TEST(the daemon of the user comes before that of the host) {
  sockets = {own, hosts};
  CAF_CHECK_EQUAL(chosen(without_daemon::refuse), "unix:" + own);
  sockets = {hosts};
  CAF_CHECK_EQUAL(chosen(without_daemon::refuse), "unix:" + hosts);
  CAF_CHECK_EQUAL(chosen(without_daemon::embed), "unix:" + hosts);
}

CAF_TEST(root looks for the daemon of the host alone) {
  uid = 0;
  sockets = {own, hosts};
  CAF_CHECK_EQUAL(chosen(without_daemon::refuse), "unix:" + hosts);
  CAF_CHECK_EQUAL(daemon_sockets(around()), strings{hosts});
}

CAF_TEST(a runtime directory that is named is the only place) {
  for (uid_t who : {0u, 1000u}) {
    uid = who;
    sockets = {own, hosts};
    variables["CROSVISOR_RUNTIME_DIR"] = "/tmp/test/run";
    CAF_CHECK_EQUAL(daemon_sockets(around()), strings{"/tmp/test/run/crosvisord.sock"});
    CAF_CHECK_EQUAL(chosen(without_daemon::embed), "embedded:");
    sockets.insert("/tmp/test/run/crosvisord.sock");
    CAF_CHECK_EQUAL(chosen(without_daemon::embed), "unix:/tmp/test/run/crosvisord.sock");
  }
}

CAF_TEST(without a daemon a command has its own service or says what was looked for) {
  CAF_CHECK_EQUAL(chosen(without_daemon::embed), "embedded:");
  CAF_CHECK_EQUAL(chosen(without_daemon::refuse),
                  "1 no daemon is there: looked for " + own + " and " + hosts
                    + "; `crosvisord --user` starts one of your own, `systemctl start crosvisord` "
                      "the host's; --connect or CROSVISOR_CONNECT names another");
}

CAF_TEST(what is asked for comes before what is there) {
  sockets = {own, hosts};
  variables["CROSVISOR_CONNECT"] = "unix:/tmp/a.sock";
  CAF_CHECK_EQUAL(chosen(without_daemon::refuse), "unix:/tmp/a.sock");
  given.where = "unix:/tmp/b.sock";
  CAF_CHECK_EQUAL(chosen(without_daemon::refuse), "unix:/tmp/b.sock");
  given.where = "embedded:";
  CAF_CHECK_EQUAL(chosen(without_daemon::embed), "embedded:");
}

CAF_TEST(a service of its own is nothing for a command about VMs that are there) {
  given.where = "embedded:";
  CAF_CHECK(chosen(without_daemon::refuse).starts_with("2 embedded: is a service of this command"));
}

CAF_TEST(a wrong endpoint says where it was given) {
  variables["CROSVISOR_CONNECT"] = "tcp:1";
  CAF_CHECK(
    chosen(without_daemon::embed).starts_with("2 CROSVISOR_CONNECT: \"tcp:1\" says no way"));
  given.where = "unix:x";
  CAF_CHECK(chosen(without_daemon::embed).starts_with("2 --connect: \"unix:x\" has no absolute"));
}

CAF_TEST(tls needs three files from the options or the environment) {
  given.where = "tls://host.example";
  CAF_CHECK(chosen(without_daemon::refuse)
              .starts_with("2 tls://host.example:7443 needs a certificate, its key and a CA"));
  variables["CROSVISOR_CERTIFICATE"] = "/e/c.pem";
  variables["CROSVISOR_KEY"] = "/e/k.pem";
  given.ca = "ca.pem";
  given.key = "k.pem";
  auto options = choose_connection(given, around(), without_daemon::refuse);
  CAF_REQUIRE(std::holds_alternative<connection_options>(options));
  auto files = std::get<connection_options>(options).tls;
  CAF_CHECK_EQUAL(files.certificate, "/e/c.pem");
  CAF_CHECK_EQUAL(files.key, "k.pem");
  CAF_CHECK_EQUAL(files.ca, "ca.pem");
}

CAF_TEST(files for tls are refused elsewhere and those of the environment are not) {
  sockets = {own};
  variables["CROSVISOR_CA"] = "/e/ca.pem";
  CAF_CHECK_EQUAL(chosen(without_daemon::refuse), "unix:" + own);
  given.ca = "ca.pem";
  CAF_CHECK(chosen(without_daemon::refuse).starts_with("2 --certificate, --key and --ca are for"));
}

CAF_TEST(a service of its own needs a place for its files) {
  variables.erase("XDG_RUNTIME_DIR");
  CAF_CHECK(chosen(without_daemon::embed).starts_with("2 XDG_RUNTIME_DIR is not set"));
  auto where = choose_endpoint(given, around(), without_daemon::embed);
  CAF_CHECK(std::holds_alternative<endpoint>(where));
}

CAF_TEST(a service has a name in sentences) {
  CAF_CHECK_EQUAL(words_of(endpoint{}), "the service in this process");
  CAF_CHECK_EQUAL(words_of({endpoint_kind::unix_socket, "/x", "", 0}), "unix:/x");
}

CAF_TEST_FIXTURE_SCOPE_END()
