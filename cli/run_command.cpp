// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/commands.hpp"
#include "crosvisor/cli/open_connection.hpp"
#include "crosvisor/cli/print.hpp"
#include "crosvisor/cli/signal_watch.hpp"
#include "crosvisor/cli/vm_run.hpp"

#include <utility>

namespace crosvisor::cli {

namespace {

outcome<int> try_run(const run_arguments& arguments) {
  auto vm = prepare(arguments);
  if (auto* end = std::get_if<early_end>(&vm))
    return *end;
  auto& prepared = std::get<prepared_vm>(vm);
  auto opened = open_connection(arguments.connect, needs_of(arguments));
  if (auto* end = std::get_if<early_end>(&opened))
    return *end;
  auto& service = *std::get<0>(opened);
  if (auto* embedded = service.embedded()) {
    if (auto end = check_on_host(arguments, prepared, embedded->host().host))
      return *end;
  }
  return run_vm(arguments, service, std::move(prepared));
}

} // namespace

int run(const run_arguments& arguments) {
  block_ending_signals();
  auto ended = try_run(arguments);
  if (const auto* end = std::get_if<early_end>(&ended))
    return complain(end->exit_code, end->what);
  return std::get<int>(ended);
}

} // namespace crosvisor::cli
