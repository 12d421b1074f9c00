// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/commands.hpp"
#include "crosvisor/cli/embedded_service.hpp"
#include "crosvisor/cli/event_json.hpp"
#include "crosvisor/cli/exit_code.hpp"
#include "crosvisor/cli/kept_logs.hpp"
#include "crosvisor/cli/line_writer.hpp"
#include "crosvisor/cli/output_file.hpp"
#include "crosvisor/cli/print.hpp"
#include "crosvisor/cli/run_session.hpp"
#include "crosvisor/cli/signal_watch.hpp"
#include "crosvisor/cli/state_lines.hpp"
#include "crosvisor/io/config/open_vm_files.hpp"
#include "crosvisor/io/config/printable.hpp"
#include "crosvisor/io/config/vm_config_file.hpp"
#include "crosvisor/io/vm_files.hpp"

#include <caf/send.hpp>

#include <unistd.h>

#include <cstdlib>
#include <future>
#include <utility>

namespace crosvisor::cli {

namespace {

/// How long a slow reader of what was said last is waited for.
constexpr std::chrono::seconds flush_bound{2};

/// What ends a run before there is a VM.
struct early_end {
  int exit_code = 0;
  std::string what;
};

template <class T>
using outcome = std::variant<T, early_end>;

/// A VM that is ready to be created.
struct prepared_vm {
  vm_config config;
  vm_files files;
};

std::string shown_path(const run_arguments& arguments) {
  return io::printable(arguments.config_path, 4096);
}

void override_config(vm_config& config, const run_arguments& arguments) {
  if (arguments.name)
    config.name = *arguments.name;
  if (arguments.memory_mib)
    config.memory_mib = *arguments.memory_mib;
  if (arguments.cpus)
    config.cpus = *arguments.cpus;
  if (arguments.vmm)
    config.vmm = *arguments.vmm;
  if (arguments.accel)
    config.accel = *arguments.accel;
}

outcome<prepared_vm> prepare(const run_arguments& arguments) {
  auto config = io::load_vm_config(arguments.config_path);
  if (!config)
    return early_end{usage, config.why().what};
  override_config(*config, arguments);
  auto files = io::open_vm_files(*config, io::folder_of(arguments.config_path));
  if (!files)
    return early_end{usage, shown_path(arguments) + ": " + files.why().what};
  return prepared_vm{std::move(*config), std::move(*files)};
}

/// What can be told now of a configuration on this host, so that nothing is started in vain.
std::optional<early_end> check_on_host(const prepared_vm& vm, const host_info& host) {
  auto choice = choose_vmm(vm.config, host);
  if (const auto* no = std::get_if<refusal>(&choice))
    return early_end{no->config_at_fault ? usage : start_failed, no->why};
  auto fit = io::check_vm_files(vm.config, *vm.files, std::get<vmm_choice>(choice).vmm);
  if (!fit)
    return early_end{usage, fit.why().what};
  return std::nullopt;
}

/// Opens what the guest writes to, as files of the VM's.
std::optional<early_end> open_outputs(const run_arguments& arguments, prepared_vm& vm) {
  for (auto [option, path, file] : {std::tuple{"--console", &arguments.console, &vm.config.console},
                                    {"--log", &arguments.log, &vm.config.log}}) {
    if (path->empty())
      continue;
    auto fd = open_output(*path, *vm.files);
    if (!fd)
      return early_end{usage, std::string{option} + ' ' + fd.why().what};
    *file = {*path, vm.files->add(std::move(*fd))};
  }
  return std::nullopt;
}

outcome<std::unique_ptr<line_writer>> open_events(const run_arguments& arguments,
                                                  const io::descriptor_set& files) {
  if (arguments.events.empty())
    return nullptr;
  auto fd = open_output(arguments.events, files);
  if (!fd)
    return early_end{usage, "--events " + fd.why().what};
  return std::make_unique<line_writer>(std::move(*fd));
}

outcome<std::unique_ptr<embedded_service>> start_service(const environment& variables) {
  auto where = find_directories(variables, ::geteuid());
  if (!where)
    return early_end{usage, where.why().what};
  auto service = embedded_service::start(
    {*where, variables("CROSVISOR_CROSVM").value_or(""), variables("CROSVISOR_QEMU").value_or("")});
  if (!service)
    return early_end{infrastructure, service.why().what};
  return std::move(*service);
}

/// One run, from a service that is there to the exit code.
class running {
public:
  running(const run_arguments& arguments, embedded_service& service, line_writer* events)
      : arguments_(arguments), service_(service), events_(events) {}

  int run(prepared_vm vm) {
    auto outcome = await_end(std::move(vm));
    auto left = service_.shut_down(); // Also so that the logs are whole.
    tell_end(outcome);
    flush();
    if (!left)
      return outcome.exit_code;
    complain(infrastructure, "the service did not end: " + *left + "; what is left ends with it");
    // Waiting for its actors would take as long as whatever holds them up.
    std::_Exit(infrastructure);
  }

private:
  run_outcome await_end(prepared_vm vm) {
    auto ended = std::make_shared<std::promise<run_outcome>>();
    auto future = ended->get_future();
    // The session alone holds the promise, so that its loss is heard.
    auto options = session_options(std::move(vm), std::exchange(ended, nullptr));
    auto session = service_.system().spawn<caf::detached>(run_session, std::move(options));
    auto signals = signal_watch::start(
      [session](int number) { caf::anon_send(session, signal_atom::value, std::int32_t{number}); });
    if (!signals)
      complain(infrastructure, "signals are not heard: " + signals.why().what);
    try {
      return future.get();
    } catch (const std::future_error&) {
      return {infrastructure, "the session was lost; this is a bug", {}, std::nullopt};
    }
  }

  run_session_options session_options(prepared_vm vm,
                                      const std::shared_ptr<std::promise<run_outcome>>& ended) {
    run_session_options options;
    options.service = service_.handle();
    options.config = std::move(vm.config);
    options.files = std::move(vm.files);
    options.timeout = arguments_.timeout.value_or(std::chrono::milliseconds{0});
    options.grace = default_grace;
    options.longest_stop = longest_stop(service_.options().timeouts, default_grace);
    options.on_event = [this](const vm_event& event) {
      if (events_ != nullptr)
        events_->add(event_json(event));
      if (auto line = lines_.next(event))
        stderr_.add(*line);
    };
    options.say = [this](const std::string& what) { stderr_.add("crosvisor: " + what); };
    options.on_end = [ended](run_outcome how) { ended->set_value(std::move(how)); };
    return options;
  }

  /// What went wrong, in the guest's last words where they were kept.
  void tell_end(const run_outcome& outcome) {
    if (!outcome.error.empty()) {
      stderr_.add("crosvisor: " + arguments_.config_path + ": "
                  + io::printable(outcome.error, 800));
    }
    if (!outcome.death || !ended_badly(outcome.death->reason))
      return;
    auto folder = log_folder(service_.state_dir(), outcome.vm.cid, outcome.vm.name);
    for (const auto* log : {"console", "vmm"}) {
      auto lines = last_lines(folder, log, 10);
      if (lines.empty())
        continue;
      stderr_.add(std::string{"crosvisor: the last lines of its "} + log + ':');
      for (const auto& line : lines)
        stderr_.add("  | " + line);
    }
    if (arguments_.console.empty()) {
      stderr_.add("crosvisor: all that was kept is in " + folder + "; see `crosvisor logs "
                  + std::to_string(outcome.vm.cid) + "`");
    }
  }

  void flush() {
    stderr_.flush(flush_bound);
    if (events_ == nullptr || events_->flush(flush_bound))
      return;
    complain(failed, events_->broken() ? "--events: could not be written to the end"
                                       : "--events: not all was read in time");
  }

  const run_arguments& arguments_;
  embedded_service& service_;
  line_writer* events_;
  line_writer stderr_{STDERR_FILENO};
  state_lines lines_{term::of(STDERR_FILENO)};
};

outcome<int> try_run(const run_arguments& arguments) {
  auto vm = prepare(arguments);
  if (auto* end = std::get_if<early_end>(&vm))
    return *end;
  auto& prepared = std::get<prepared_vm>(vm);
  auto service = start_service(process_environment());
  if (auto* end = std::get_if<early_end>(&service))
    return *end;
  auto& embedded = *std::get<0>(service);
  if (auto end = check_on_host(prepared, embedded.host().host)) {
    end->what = shown_path(arguments) + ": " + end->what;
    return *end;
  }
  if (auto end = open_outputs(arguments, prepared))
    return *end;
  auto events = open_events(arguments, *prepared.files);
  if (auto* end = std::get_if<early_end>(&events))
    return *end;
  return running{arguments, embedded, std::get<0>(events).get()}.run(std::move(prepared));
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
