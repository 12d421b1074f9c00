// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/keeper/keeper.hpp"

#include "crosvisor/io/config/bounded_read.hpp"
#include "crosvisor/io/failpoint.hpp"
#include "crosvisor/io/keeper/keeper_process.hpp"
#include "crosvisor/io/keeper/keeper_values.hpp"
#include "crosvisor/io/keeper/vm_keeper.hpp"
#include "crosvisor/io/logging.hpp"
#include "crosvisor/io/tickets/descriptor_packet.hpp"

#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <sys/socket.h>

#include <exception>
#include <utility>

namespace crosvisor::io {

namespace {

using nlohmann::json;

constexpr std::size_t max_launch_bytes = 16u << 20;

/// Whether the service has gone already. Nothing is read.
bool has_gone(int socket) {
  char first = 0;
  return ::recv(socket, &first, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

void tell_failure(int socket, const std::string& why) {
  json packet{
    {"type", "launch_failed"}, {"failure", static_cast<int>(launch_failure::host)}, {"what", why}};
  // A service that has gone needs no word.
  (void)send_packet(socket, to_line(packet));
}

result<keeper_launch> read_launch(int fd) {
  auto text = read_bounded(fd, max_launch_bytes);
  if (!text)
    return failure{text.why().code, "launch: " + text.why().what};
  return decode_keeper_launch(*text, true);
}

int fail(int service, const failure& why) {
  log::error("keeper can't begin: {}", why.what);
  tell_failure(service, why.what);
  return keeper_failed;
}

int keep(unique_fd launch_text, unique_fd service, unique_fd folder) {
  auto launch = read_launch(launch_text.get());
  if (!launch)
    return fail(service.get(), launch.why());
  reach(failpoint::begin_keeper);
  auto path =
    keeper_records_path(launch->how.state_dir) + "/" + std::to_string(launch->request.cid);
  auto loop = std::make_shared<event_loop>(event_loop::on_this_thread{});
  unique_fd last_word{::fcntl(service.get(), F_DUPFD_CLOEXEC, 3)};
  vm_keeper vm{loop, std::move(*launch), std::move(launch_text),
               keeper_record::inherit(std::move(folder), std::move(path))};
  auto gone = has_gone(service.get());
  auto begun = gone ? result<void>{} : vm.begin(std::move(service));
  if (gone || !begun) {
    vm.undo();
    return gone ? keeper_done : fail(last_word.get(), begun.why());
  }
  last_word.reset();
  loop->run();
  return keeper_done;
}

} // namespace

int run_keeper(const keeper_arguments& arguments) {
  become_keeper();
  unique_fd launch{arguments.launch_fd}, service{arguments.service_fd}, folder{arguments.record_fd};
  for (auto fd : {launch.get(), service.get(), folder.get()})
    if (::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
      log::error("keeper can't begin: descriptor {} isn't open", fd);
      return keeper_usage_error;
    }
  try {
    return keep(std::move(launch), std::move(service), std::move(folder));
  } catch (const std::exception& error) { // No memory, no descriptor for the loop.
    log::error("keeper ends: {}", error.what());
    return keeper_failed;
  }
}

} // namespace crosvisor::io
