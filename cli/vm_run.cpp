// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/vm_run.hpp"

#include "crosvisor/cli/default_connection.hpp"
#include "crosvisor/cli/event_json.hpp"
#include "crosvisor/cli/exit_code.hpp"
#include "crosvisor/cli/line_writer.hpp"
#include "crosvisor/cli/output_copy.hpp"
#include "crosvisor/cli/piece_pipe.hpp"
#include "crosvisor/cli/print.hpp"
#include "crosvisor/cli/reconnect.hpp"
#include "crosvisor/cli/run_ending.hpp"
#include "crosvisor/cli/run_session.hpp"
#include "crosvisor/cli/session_news.hpp"
#include "crosvisor/cli/signal_watch.hpp"
#include "crosvisor/cli/state_lines.hpp"
#include "crosvisor/io/config/printable.hpp"
#include "crosvisor/service/service.hpp"

#include <caf/actor_cast.hpp>
#include <caf/send.hpp>

#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <utility>

namespace crosvisor::cli {

namespace {

/// How long a slow reader of what was said last is waited for.
constexpr std::chrono::seconds flush_bound{2};

/// What a run writes to.
struct run_outputs {
  std::unique_ptr<line_writer> events; ///< Null: nobody wants them.
  io::unique_fd payload;               ///< The same where it is empty.
};

/// One run, from a service that is there to the exit code.
class running {
public:
  running(const run_options& options, connection& service, run_outputs outputs)
      : options_(options),
        service_(service),
        events_(std::move(outputs.events)),
        wants_output_(outputs.payload),
        output_(std::move(outputs.payload), output_name(options.output_path()),
                [this](const std::string& what) { say(what); }) {}

  int run(vm_config config, ticket_list files) {
    auto outcome = await_end(std::move(config), std::move(files));
    // Also so that the logs are whole.
    auto left = service_.embedded() != nullptr ? service_.embedded()->shut_down() : std::nullopt;
    tell_end(outcome);
    if (options_.detach && outcome.exit_code == done)
      outcome.exit_code = print(std::to_string(outcome.vm.cid) + '\n');
    flush();
    if (!left)
      return outcome.exit_code;
    complain(infrastructure, "the service did not end: " + *left + "; what is left ends with it");
    // Waiting for its actors would take as long as whatever holds them up.
    std::_Exit(infrastructure);
  }

private:
  run_outcome await_end(vm_config config, ticket_list files) {
    auto wants = session_options(std::move(config), std::move(files));
    auto news = std::make_shared<session_news>();
    // The session alone holds it, so that its loss is heard.
    auto alive = std::shared_ptr<void>{nullptr, [news](void*) { news->gone(); }};
    wants.on_end = [news, alive = std::move(alive)](run_outcome how) {
      news->ended(std::move(how));
    };
    if (service_.where().kind != endpoint_kind::embedded)
      wants.on_lost = [news] { news->lost(); };
    // Not detached: what the system still holds of one would then keep this process from its end.
    auto session = service_.system().spawn(run_session, std::move(wants));
    session_ = session;
    auto signals = signal_watch::start([this, session](int number) {
      caf::anon_send(session, signal_atom::value, std::int32_t{number});
      hear_signal();
    });
    if (!signals)
      complain(infrastructure, "signals are not heard: " + signals.why().what);
    while (news->wait_for_loss())
      connect_again(session);
    auto outcome = news->outcome();
    await_output(outcome.death.has_value());
    return outcome;
  }

  /// The session waits meanwhile.
  void connect_again(const run_session_actor& session) {
    if (reconnect(service_, [this](const std::string& what) { say(what); }))
      caf::anon_send(session, attach_atom::value,
                     caf::actor_cast<caf::strong_actor_ptr>(service_.door()));
    else
      caf::anon_send(session, lost_atom::value);
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

  run_session_options session_options(vm_config config, ticket_list files) {
    run_session_options session;
    session.door = service_.door();
    session.service = words_of(service_.where());
    session.config = std::move(config);
    session.files = std::move(files);
    session.detach = options_.detach;
    session.no_start = options_.no_start;
    session.timeout = options_.timeout.value_or(std::chrono::milliseconds{0});
    session.grace = default_grace;
    session.longest_stop = longest_stop(actors::vm_timeouts{}, default_grace);
    session.on_event = [this](const vm_event& event) {
      if (events_ != nullptr)
        events_->add(event_json(event));
      if (auto line = lines_.next(event))
        stderr_.add(*line);
    };
    if (wants_output_ && !options_.detach)
      take_output_into(session);
    session.say = [this](const std::string& what) { say(what); };
    return session;
  }

  /// By a descriptor, or in pieces where none can be passed.
  void take_output_into(run_session_options& session) {
    if (service_.passes_descriptors()) {
      session.on_output = [this](const ticket& of) -> io::result<void> {
        auto from = service_.take(of);
        if (!from)
          return from.why();
        output_.begin(std::move(*from));
        return {};
      };
      return;
    }
    auto made = piece_pipe::make();
    if (!made)
      return say("the payload's output can't be taken: " + made.why().what);
    auto pipe = std::make_shared<piece_pipe>(std::move(*made));
    session.output_window = pipe->window();
    session.on_piece = [this, pipe](const output_chunk& piece) {
      if (auto from = pipe->take_reader())
        output_.begin(std::move(from), [this](std::size_t bytes) {
          caf::anon_send(session_, credit_atom::value, std::uint64_t{bytes});
        });
      if (auto what = pipe->put(piece); !what.empty())
        say(what);
    };
  }

  void tell_end(const run_outcome& outcome) {
    auto* embedded = service_.embedded();
    auto state_dir = embedded != nullptr ? embedded->state_dir() : std::string{};
    for (const auto& line :
         ending_lines(outcome, options_, service_logs(service_, {}, flush_bound), state_dir))
      stderr_.add(line);
  }

  void flush() {
    stderr_.flush(flush_bound);
    if (events_ == nullptr || events_->flush(flush_bound))
      return;
    complain(failed, events_->broken() ? "--events: could not be written to the end"
                                       : "--events: not all was read in time");
  }

  const run_options& options_;
  connection& service_;
  std::unique_ptr<line_writer> events_;
  line_writer stderr_{STDERR_FILENO};
  state_lines lines_{term::of(STDERR_FILENO)};
  bool wants_output_;
  run_session_actor session_;
  output_copy output_; // Goes before what it speaks to.
  std::atomic<int> signals_ = 0;
  std::atomic<bool> vm_ended_ = false;
};

/// Tickets for the VM's files, whose descriptors are then the service's alone: as long as we had
/// them open, locks and sizes might not be what they seem.
outcome<ticket_list> give_files(const run_options& options, connection& service, prepared_vm& vm) {
  auto tickets = service.give(*vm.files);
  vm.files->clear();
  if (tickets)
    return std::move(*tickets);
  return early_end{tickets.why().code == 0 ? usage : infrastructure,
                   io::printable(options.subject, 4096) + ": "
                     + io::printable(tickets.why().what, 800)};
}

} // namespace

outcome<int> run_vm(const run_options& options, connection& service, prepared_vm vm) {
  if (auto end = open_outputs(options, vm))
    return *end;
  auto events = open_events(options, *vm.files);
  if (auto* end = std::get_if<early_end>(&events))
    return *end;
  auto output = open_payload_output(options, *vm.files);
  if (auto* end = std::get_if<early_end>(&output))
    return *end;
  auto files = give_files(options, service, vm);
  if (auto* end = std::get_if<early_end>(&files))
    return *end;
  running run{options, service, {std::move(std::get<0>(events)), std::move(std::get<0>(output))}};
  return run.run(std::move(vm.config), std::move(std::get<0>(files)));
}

} // namespace crosvisor::cli
