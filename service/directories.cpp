// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/directories.hpp"

#include "crosvisor/io/config/printable.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>

namespace crosvisor {

namespace {

/// A directory that the environment names. XDG asks for absolute paths; a relative one would depend
/// on where the program is started.
io::result<std::string> absolute(const char* variable, std::string path) {
  if (path.front() == '/')
    return path;
  return io::failure{0, std::string{variable} + ": " + io::in_quotes(path)
                          + " is not an absolute path"};
}

io::result<std::string> runtime_dir(const environment& variables, uid_t uid) {
  if (auto path = variables("CROSVISOR_RUNTIME_DIR"))
    return absolute("CROSVISOR_RUNTIME_DIR", *path);
  if (uid == 0)
    return std::string{"/run/crosvisor"};
  if (auto path = variables("XDG_RUNTIME_DIR"))
    return absolute("XDG_RUNTIME_DIR", *path + "/crosvisor");
  return io::failure{0,
                     "XDG_RUNTIME_DIR is not set, so there is no safe place for what runs; log in "
                     "through a session, or set CROSVISOR_RUNTIME_DIR to a directory of your own"};
}

} // namespace

environment process_environment() {
  return [](const char* variable) -> std::optional<std::string> {
    const char* value = std::getenv(variable);
    if (value == nullptr || *value == '\0')
      return std::nullopt;
    return value;
  };
}

io::result<std::string> find_state_dir(const environment& variables, uid_t uid) {
  if (auto path = variables("CROSVISOR_STATE_DIR"))
    return absolute("CROSVISOR_STATE_DIR", *path);
  if (uid == 0)
    return std::string{"/var/lib/crosvisor"};
  if (auto path = variables("XDG_STATE_HOME"))
    return absolute("XDG_STATE_HOME", *path + "/crosvisor");
  if (auto path = variables("HOME"))
    return absolute("HOME", *path + "/.local/state/crosvisor");
  return io::failure{0, "HOME is not set, so there is no place for what is kept; set "
                        "CROSVISOR_STATE_DIR to a directory of your own"};
}

io::result<directories> find_directories(const environment& variables, uid_t uid) {
  auto runtime = runtime_dir(variables, uid);
  if (!runtime)
    return runtime.why();
  auto state = find_state_dir(variables, uid);
  if (!state)
    return state.why();
  return directories{*runtime, *state};
}

io::result<void> make_folders(const std::string& path) {
  for (std::size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    auto folder = path.substr(0, slash);
    if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST)
      return io::last_failure("directory " + io::in_quotes(folder));
    if (slash == std::string::npos)
      return {};
  }
}

} // namespace crosvisor
