// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/directories.hpp"

#include <caf/test/dsl.hpp>

#include <map>

#undef CAF_SUITE
#define CAF_SUITE service.directories

using namespace crosvisor;

namespace {

using variables = std::map<std::string, std::string>;

environment set(variables values) {
  return [values = std::move(values)](const char* name) -> std::optional<std::string> {
    auto i = values.find(name);
    if (i == values.end())
      return std::nullopt;
    return i->second;
  };
}

std::string found(const variables& values, uid_t uid) {
  auto result = find_directories(set(values), uid);
  return result ? result->runtime + " " + result->state : result.why().what;
}

} // namespace

CAF_TEST(root has the directories of the host) {
  CAF_CHECK_EQUAL(found({{"XDG_RUNTIME_DIR", "/run/user/0"}, {"HOME", "/root"}}, 0),
                  "/run/crosvisor /var/lib/crosvisor");
}

CAF_TEST(others have those of their session) {
  CAF_CHECK_EQUAL(found({{"XDG_RUNTIME_DIR", "/run/user/1000"}, {"HOME", "/home/a"}}, 1000),
                  "/run/user/1000/crosvisor /home/a/.local/state/crosvisor");
  CAF_CHECK_EQUAL(found({{"XDG_RUNTIME_DIR", "/run/user/1000"}, {"XDG_STATE_HOME", "/s"}}, 1000),
                  "/run/user/1000/crosvisor /s/crosvisor");
}

CAF_TEST(the variables of our own come first) {
  CAF_CHECK_EQUAL(found({{"CROSVISOR_RUNTIME_DIR", "/r"}, {"CROSVISOR_STATE_DIR", "/s"}}, 1000),
                  "/r /s");
  CAF_CHECK_EQUAL(found({{"CROSVISOR_RUNTIME_DIR", "/r"}, {"CROSVISOR_STATE_DIR", "/s"}}, 0),
                  "/r /s");
}

CAF_TEST(without a safe place it is said what to set) {
  CAF_CHECK_EQUAL(found({{"HOME", "/home/a"}}, 1000),
                  "XDG_RUNTIME_DIR is not set, so there is no safe place for what runs; log in "
                  "through a session, or set CROSVISOR_RUNTIME_DIR to a directory of your own");
  CAF_CHECK_EQUAL(found({{"XDG_RUNTIME_DIR", "/r"}}, 1000),
                  "HOME is not set, so there is no place for what is kept; set CROSVISOR_STATE_DIR "
                  "to a directory of your own");
  CAF_CHECK_EQUAL(found({{"CROSVISOR_RUNTIME_DIR", "r"}}, 0),
                  "CROSVISOR_RUNTIME_DIR: \"r\" is not an absolute path");
}
