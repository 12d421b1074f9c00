// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/daemon/daemon_places.hpp"

#include "crosvisor/io/config/printable.hpp"
#include "crosvisor/io/private_dir.hpp"

#include <sys/stat.h>

namespace crosvisor {

namespace {

constexpr const char* config_name = "/crosvisor/crosvisor.json";

/// Empty where the environment has no place for it.
std::string user_config(const environment& variables) {
  if (auto folder = variables("XDG_CONFIG_HOME"); folder && folder->front() == '/')
    return *folder + config_name;
  if (auto home = variables("HOME"); home && home->front() == '/')
    return *home + "/.config" + config_name;
  return {};
}

/// find_directories() gives root the host's own, which a daemon of root's own user does not want.
uid_t uid_for_directories(bool user) {
  constexpr uid_t somebody = 65534;
  return user ? somebody : 0;
}

void grant_all(daemon_config& config, uid_t uid) {
  for (auto& grant : config.grants.of)
    grant.uids.push_back(uid);
}

} // namespace

daemon_places find_config(const daemon_arguments& arguments, const environment& variables) {
  daemon_places places;
  places.config_required = arguments.config.has_value();
  if (arguments.config)
    places.config = *arguments.config;
  else if (arguments.user)
    places.config = user_config(variables);
  else
    places.config = std::string{"/etc"} + config_name;
  return places;
}

io::result<daemon_places> find_daemon_places(const daemon_arguments& arguments,
                                             const environment& variables, uid_t uid) {
  if (uid != 0 && !arguments.user)
    return io::failure{0, "only root can run the host's daemon; for one of your own use "
                          "`crosvisord --user`"};
  auto where = find_directories(variables, uid_for_directories(arguments.user));
  if (!where)
    return where.why();
  auto places = find_config(arguments, variables);
  places.where = *where;
  places.socket = where->runtime + "/crosvisord.sock";
  return places;
}

io::result<daemon_config> load_config_of(const daemon_places& places, bool user, uid_t uid) {
  auto loaded = places.config.empty() ? io::result<daemon_config>{daemon_config{}}
                                      : load_daemon_config(places.config, places.config_required);
  if (!loaded)
    return loaded;
  if (loaded->socket.empty())
    loaded->socket = places.socket;
  if (!loaded->socket_mode)
    loaded->socket_mode = user ? private_socket_mode : default_socket_mode;
  if (user)
    grant_all(*loaded, uid);
  if (uid != 0)
    loaded->first_vmm_uid = 0; // Only root can become somebody else.
  return loaded;
}

io::result<void> make_runtime_dir(const std::string& path, bool user) {
  auto made = io::open_private_dir(path);
  if (!made)
    return made.why();
  if (!user && ::fchmod(made->get(), 0755) != 0)
    return io::last_failure("directory " + io::in_quotes(path));
  return {};
}

} // namespace crosvisor
