// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/commands.hpp"
#include "crosvisor/cli/exit_code.hpp"
#include "crosvisor/cli/output_file.hpp"
#include "crosvisor/cli/print.hpp"
#include "crosvisor/io/logging.hpp"
#include "crosvisor/service/directories.hpp"

#include <csignal>
#include <exception>
#include <optional>
#include <string_view>
#include <utility>

namespace crosvisor::cli {

namespace {

struct dispatch {
  int operator()(const run_arguments& arguments) const { return run(arguments); }
  int operator()(const run_app_arguments& arguments) const { return run_app(arguments); }
  int operator()(const create_partition_arguments& arguments) const {
    return create_partition(arguments);
  }
  int operator()(const create_idsig_arguments& arguments) const { return create_idsig(arguments); }
  int operator()(const create_composite_arguments& arguments) const {
    return create_composite(arguments);
  }
  int operator()(const inspect_arguments& arguments) const { return inspect(arguments); }
  int operator()(const info_arguments& arguments) const { return info(arguments); }
  int operator()(const logs_arguments& arguments) const { return logs(arguments); }
  int operator()(const verb_arguments& arguments) const { return do_verb(arguments); }
  int operator()(const stop_arguments& arguments) const { return stop(arguments); }
  int operator()(const list_arguments& arguments) const { return list(arguments); }
  int operator()(const watch_arguments& arguments) const { return watch(arguments); }
  int operator()(const port_arguments& arguments) const { return connect(arguments); }
  int operator()(const balloon_arguments& arguments) const { return balloon(arguments); }
  int operator()(const pass_arguments& arguments) const { return pass(arguments); }
  int operator()(const take_arguments& arguments) const { return take(arguments); }
  int operator()(const drain_arguments& arguments) const { return drain(arguments); }
  int operator()(const image_push_arguments& arguments) const { return push_image(arguments); }
  int operator()(const image_pull_arguments& arguments) const { return pull_image(arguments); }
  int operator()(const image_list_arguments& arguments) const { return list_images(arguments); }
  int operator()(const image_remove_arguments& arguments) const { return remove_images(arguments); }
  int operator()(const text_answer& answer) const { return print(answer.text); }
  int operator()(const usage_error& error) const { return complain(usage, error.what); }
};

std::optional<log::level> level_of(const std::string& word) {
  constexpr std::pair<std::string_view, log::level> levels[] = {
    {"debug", log::level::debug},
    {"info", log::level::info},
    {"warn", log::level::warn},
    {"error", log::level::error},
  };
  for (const auto& [name, level] : levels)
    if (word == name)
      return level;
  return std::nullopt;
}

/// CROSVISOR_LOG, where it is set. False when it is no level.
bool set_log_level() {
  auto word = process_environment()("CROSVISOR_LOG");
  if (!word)
    return true;
  auto level = level_of(*word);
  if (level)
    log::set_level(*level);
  return level.has_value();
}

} // namespace

int run_program(const std::vector<std::string>& arguments) {
  fill_standard_descriptors();
  std::signal(SIGPIPE, SIG_IGN); // A reader that is gone is an EPIPE.
  try {
    if (!set_log_level())
      return complain(usage, "CROSVISOR_LOG is no level; allowed are debug, info, warn and error");
    return std::visit(dispatch{}, parse_arguments(arguments));
  } catch (const std::exception& error) { // Out of memory or threads.
    return complain(infrastructure, error.what());
  }
}

} // namespace crosvisor::cli
