// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/guest_port.hpp"

#include "crosvisor/cli/exit_code.hpp"
#include "crosvisor/cli/port_copy.hpp"
#include "crosvisor/cli/vm_request.hpp"
#include "crosvisor/io/config/printable.hpp"
#include "crosvisor/service/stream_client.hpp"

#include <unistd.h>

#include <memory>
#include <tuple>

namespace crosvisor::cli {

namespace {

constexpr std::size_t max_shown_bytes = 800;

outcome<guest_port> connect_here(connection& service, const port_arguments& what,
                                 caf::timespan given) {
  auto word = vm_request{service, what.vm}.ask<ticket>(given + request_bound, [&](vm_cid cid) {
    return std::tuple{caf::connect_atom::value, cid, *what.port, given};
  });
  if (const auto* end = std::get_if<early_end>(&word))
    return *end;
  auto socket = service.take(std::get<ticket>(word));
  if (!socket)
    return early_end{failed, io::printable(socket.why().what, max_shown_bytes)};
  return guest_port{std::move(*socket)};
}

outcome<guest_port> connect_there(connection& service, const port_arguments& what,
                                  caf::timespan given) {
  vm_request vm{service, what.vm};
  auto cid = vm.find();
  if (const auto* end = std::get_if<early_end>(&cid))
    return *end;
  auto opened = std::make_shared<std::promise<std::variant<io::unique_fd, caf::error>>>();
  auto ended = std::make_shared<std::promise<caf::error>>();
  auto opening = opened->get_future();
  guest_port port{{}, ended->get_future()};
  stream_options options{service.door(), std::get<vm_cid>(cid), *what.port,
                         given,          request_bound,         io::make_credited_sockets()};
  options.on_open = [opened](auto answer) { opened->set_value(std::move(answer)); };
  options.on_end = [ended](const caf::error& why) { ended->set_value(why); };
  open_stream(service.system(), std::move(options));
  auto answer = opening.get();
  if (const auto* why = std::get_if<caf::error>(&answer))
    return vm.end_of(*why);
  port.socket = std::move(std::get<io::unique_fd>(answer));
  return port;
}

} // namespace

outcome<guest_port> connect_port(connection& service, const port_arguments& what) {
  auto given = what.timeout ? caf::timespan{*what.timeout} : caf::timespan::zero();
  return service.passes_descriptors() ? connect_here(service, what, given)
                                      : connect_there(service, what, given);
}

outcome<int> copy_port(connection& service, guest_port port) {
  auto problem = copy_both_ways(STDIN_FILENO, STDOUT_FILENO, std::move(port.socket));
  if (!problem.empty())
    return early_end{failed, problem};
  if (!port.ended)
    return static_cast<int>(done);
  // What was copied is the guest's once the stream has ended.
  auto why = port.ended->get();
  if (!why)
    return static_cast<int>(done);
  if (is_lost(why))
    return end_of(why, service.where());
  return early_end{failed, io::printable(sentence_of(why), max_shown_bytes)};
}

} // namespace crosvisor::cli
