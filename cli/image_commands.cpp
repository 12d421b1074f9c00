// SPDX-License-Identifier: Apache-2.0
// The commands about a daemon's stored images.
#include "crosvisor/cli/commands.hpp"
#include "crosvisor/cli/exit_code.hpp"
#include "crosvisor/cli/image_report.hpp"
#include "crosvisor/cli/image_transfer.hpp"
#include "crosvisor/cli/made_file.hpp"
#include "crosvisor/cli/open_connection.hpp"
#include "crosvisor/cli/print.hpp"
#include "crosvisor/cli/signal_watch.hpp"
#include "crosvisor/io/config/printable.hpp"
#include "crosvisor/messages/vm_event.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace crosvisor::cli {

namespace {

/// Its bytes may have to be removed.
constexpr caf::timespan remove_bound = std::chrono::minutes{5};

void tell(const std::string& what) {
  say("crosvisor: " + what + '\n');
}

outcome<int> push(connection& service, const image_push_arguments& arguments) {
  auto pushed = push_image(service, arguments.path, arguments.name, tell);
  if (const auto* end = std::get_if<early_end>(&pushed))
    return *end;
  const auto& there = std::get<pushed_image>(pushed);
  tell((there.was_there ? "image:" + arguments.name + " is there already, "
                        : "stored image:" + arguments.name + ", ")
       + std::to_string(there.size_bytes) + " bytes");
  return done;
}

outcome<int> pull_to_output(connection& service, const image_pull_arguments& arguments) {
  auto pulled = pull_image(service, arguments.name, STDOUT_FILENO, arguments.name, tell);
  if (const auto* end = std::get_if<early_end>(&pulled))
    return *end;
  return done;
}

outcome<int> pull(connection& service, const image_pull_arguments& arguments) {
  if (arguments.path == "-")
    return pull_to_output(service, arguments);
  auto file = made_file::make(arguments.path);
  if (!file)
    return early_end{file.why().code == EEXIST ? conflict : usage, file.why().what};
  auto copy = file->duplicate();
  if (!copy)
    return early_end{infrastructure, copy.why().what};
  auto pulled = pull_image(service, arguments.name, copy->get(), arguments.path, tell);
  if (const auto* end = std::get_if<early_end>(&pulled))
    return *end;
  file->keep();
  return done;
}

outcome<int> remove(connection& service, const image_remove_arguments& arguments) {
  for (const auto& name : arguments.names) {
    auto removed =
      ask<caf::ok_atom>(service, remove_bound, caf::delete_atom::value, image_atom::value, name);
    if (const auto* why = std::get_if<caf::error>(&removed))
      return end_of(*why, service.where());
  }
  return done;
}

} // namespace

int push_image(const image_push_arguments& arguments) {
  return with_daemon(arguments.connect,
                     [&](connection& service) { return push(service, arguments); });
}

int pull_image(const image_pull_arguments& arguments) {
  block_ending_signals();
  return with_daemon(arguments.connect,
                     [&](connection& service) { return pull(service, arguments); });
}

int list_images(const image_list_arguments& arguments) {
  return with_daemon(arguments.connect, [&](connection& service) -> outcome<int> {
    auto all = outcome_of(
      ask<std::vector<image_info>>(service, request_bound, list_atom::value, image_atom::value),
      service.where());
    if (const auto* end = std::get_if<early_end>(&all))
      return *end;
    return print(image_report(std::get<0>(all), arguments.output, unix_time_ms()));
  });
}

int remove_images(const image_remove_arguments& arguments) {
  return with_daemon(arguments.connect,
                     [&](connection& service) { return remove(service, arguments); });
}

} // namespace crosvisor::cli
