// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/daemon/daemon.hpp"

#include "crosvisor/io/logging.hpp"
#include "crosvisor/io/service_signals.hpp"
#include "crosvisor/io/standard_streams.hpp"
#include "crosvisor/io/systemd/journal.hpp"
#include "crosvisor/service/daemon/daemon_arguments.hpp"
#include "crosvisor/service/daemon/daemon_places.hpp"
#include "crosvisor/service/daemon/running_daemon.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <exception>
#include <utility>

namespace crosvisor {

namespace {

/// What the service manager shows is the log; a person's terminal gets the same line.
int complain(int code, const std::string& what) {
  std::fprintf(stderr, "crosvisord: %s\n", what.c_str());
  return code;
}

int say(const std::string& words) {
  auto all = std::fputs(words.c_str(), stdout) >= 0 && std::fflush(stdout) == 0;
  return all ? daemon_stopped : complain(daemon_failed, "standard output can't be written");
}

int check(const daemon_arguments& arguments) {
  auto places = find_config(arguments, process_environment());
  if (places.config.empty())
    return say("there is no place for a configuration, so the defaults hold\n");
  auto loaded = load_daemon_config(places.config, places.config_required);
  if (!loaded)
    return complain(daemon_misused, loaded.why().what);
  auto missing = !places.config_required && ::access(places.config.c_str(), F_OK) != 0;
  return say(places.config + (missing ? ": is missing, so the defaults hold\n" : ": is sound\n"));
}

int serve(const daemon_arguments& arguments) {
  auto uid = ::geteuid();
  auto places = find_daemon_places(arguments, process_environment(), uid);
  if (!places)
    return complain(daemon_failed, places.why().what);
  auto config = load_config_of(*places, arguments.user, uid);
  if (!config)
    return complain(daemon_misused, config.why().what);
  log::set_level(config->log_level);
  running_daemon running{std::move(*config), std::move(*places), arguments.user};
  if (auto started = running.start(); !started)
    return complain(daemon_failed, started.why().what);
  return running.run() == daemon_end::broken ? daemon_failed : daemon_stopped;
}

int act(const daemon_arguments& arguments) {
  return arguments.check ? check(arguments) : serve(arguments);
}

int act(const daemon_text& text) {
  return say(text.text);
}

int act(const daemon_misuse& misuse) {
  return complain(daemon_misused, misuse.what);
}

} // namespace

int run_daemon(const std::vector<std::string>& arguments) {
  io::fill_standard_streams();
  io::block_service_signals();
  io::log_to_journal();
  ::umask(077);
  try {
    return std::visit([](const auto& command) { return act(command); },
                      parse_daemon_arguments(arguments));
  } catch (const std::exception& error) { // Out of memory, threads or descriptors.
    return complain(daemon_failed, error.what());
  }
}

} // namespace crosvisor
