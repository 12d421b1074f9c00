// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/vm_run.hpp"

#include "crosvisor/cli/event_json.hpp"
#include "crosvisor/cli/exit_code.hpp"
#include "crosvisor/cli/kept_logs.hpp"
#include "crosvisor/cli/line_writer.hpp"
#include "crosvisor/cli/output_copy.hpp"
#include "crosvisor/cli/print.hpp"
#include "crosvisor/cli/run_session.hpp"
#include "crosvisor/cli/signal_watch.hpp"
#include "crosvisor/cli/state_lines.hpp"
#include "crosvisor/io/config/printable.hpp"

#include <caf/send.hpp>

#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <system_error>
#include <utility>

namespace crosvisor::cli {

namespace {

/// How long a slow reader of what was said last is waited for.
constexpr std::chrono::seconds flush_bound{2};

/// One run, from a service that is there to the exit code.
class running {
public:
  /// @param events null: nobody wants them.
  /// @param output where the payload's output goes; may be empty.
  running(const run_options& options, embedded_service& service, line_writer* events,
          io::unique_fd output)
      : options_(options),
        service_(service),
        events_(events),
        wants_output_(output),
        output_(std::move(output), output_name(options.output_path()),
                [this](const std::string& what) { say(what); }) {}

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
    auto session_wants = session_options(std::move(vm), std::exchange(ended, nullptr));
    auto session = service_.system().spawn<caf::detached>(run_session, std::move(session_wants));
    auto signals = signal_watch::start([this, session](int number) {
      caf::anon_send(session, signal_atom::value, std::int32_t{number});
      hear_signal();
    });
    if (!signals)
      complain(infrastructure, "signals are not heard: " + signals.why().what);
    auto outcome = outcome_of(future);
    await_output(outcome.death.has_value());
    return outcome;
  }

  static run_outcome outcome_of(std::future<run_outcome>& future) {
    try {
      return future.get();
    } catch (const std::future_error&) {
      return {infrastructure, "the session was lost; this is a bug", {}, std::nullopt};
    }
  }

  /// On the signal watch's thread. The session says what its signals do as long as there is one.
  void hear_signal() {
    if (++signals_ >= 2)
      output_.give_up();
    else if (vm_ended_)
      say("waiting for whoever reads the payload's output; once more drops the rest");
  }

  /// All that a dead VM's payload wrote is there to be read; of one that was lost, who knows.
  void await_output(bool is_dead) {
    vm_ended_ = true;
    if (!is_dead)
      output_.give_up();
    if (!output_.wait(flush_bound))
      say("the rest of the payload's output was not read in time, and is dropped");
  }

  static std::string output_name(const std::string& path) {
    return path == "-" ? "standard output" : io::in_quotes(path);
  }

  void say(const std::string& what) { stderr_.add("crosvisor: " + what); }

  run_session_options session_options(prepared_vm vm,
                                      const std::shared_ptr<std::promise<run_outcome>>& ended) {
    run_session_options session;
    session.service = service_.handle();
    session.config = std::move(vm.config);
    session.files = std::move(vm.files);
    session.timeout = options_.timeout.value_or(std::chrono::milliseconds{0});
    session.grace = default_grace;
    session.longest_stop = longest_stop(service_.options().timeouts, default_grace);
    session.on_event = [this](const vm_event& event) {
      if (events_ != nullptr)
        events_->add(event_json(event));
      if (auto line = lines_.next(event))
        stderr_.add(*line);
    };
    if (wants_output_)
      session.on_output = [this](io::unique_fd from) { output_.begin(std::move(from)); };
    session.say = [this](const std::string& what) { say(what); };
    session.on_end = [ended](run_outcome how) { ended->set_value(std::move(how)); };
    return session;
  }

  /// What went wrong, in the guest's last words where they were kept.
  void tell_end(const run_outcome& outcome) {
    if (!outcome.error.empty()) {
      stderr_.add("crosvisor: " + io::printable(options_.subject, 4096) + ": "
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
    std::error_code unreadable;
    // A VM that had no VMM has none.
    if (options_.console.empty() && std::filesystem::exists(folder, unreadable)) {
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

  const run_options& options_;
  embedded_service& service_;
  line_writer* events_;
  line_writer stderr_{STDERR_FILENO};
  state_lines lines_{term::of(STDERR_FILENO)};
  bool wants_output_;
  output_copy output_; // Goes before stderr_, to which it speaks.
  std::atomic<int> signals_ = 0;
  std::atomic<bool> vm_ended_ = false;
};

} // namespace

outcome<std::unique_ptr<embedded_service>> start_service() {
  auto variables = process_environment();
  auto where = find_directories(variables, ::geteuid());
  if (!where)
    return early_end{usage, where.why().what};
  auto service = embedded_service::start(
    {*where, variables("CROSVISOR_CROSVM").value_or(""), variables("CROSVISOR_QEMU").value_or(""),
     variables("CROSVISOR_VSOCK").value_or(""), variables("CROSVISOR_NBDKIT_PLUGIN").value_or(""),
     variables("CROSVISOR_OS_DIR").value_or("")});
  if (!service)
    return early_end{infrastructure, service.why().what};
  return std::move(*service);
}

outcome<int> run_vm(const run_options& options, embedded_service& service, prepared_vm vm) {
  if (auto end = open_outputs(options, vm))
    return *end;
  auto events = open_events(options, *vm.files);
  if (auto* end = std::get_if<early_end>(&events))
    return *end;
  auto output = open_payload_output(options, *vm.files);
  if (auto* end = std::get_if<early_end>(&output))
    return *end;
  return running{options, service, std::get<0>(events).get(), std::move(std::get<0>(output))}.run(
    std::move(vm));
}

} // namespace crosvisor::cli
