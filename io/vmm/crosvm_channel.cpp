// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/vmm/crosvm_channel.hpp"

#include "crosvisor/io/config/printable.hpp"
#include "crosvisor/io/host/short_command.hpp"
#include "crosvisor/io/vmm/crosvm_features.hpp"
#include "crosvisor/io/vmm/exit_table.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>

namespace crosvisor::io {

using nlohmann::json;

namespace {

/// How many commands may run for one VM at a time; the next one is refused at once.
constexpr std::size_t max_running = 8;

const char* command_for(vmm_request what) {
  switch (what) {
    case vmm_request::power_button: return "powerbtn";
    case vmm_request::quit: return "stop";
    case vmm_request::suspend: return "suspend";
    case vmm_request::resume: break;
  }
  return "resume";
}

/// What a command that failed says of it. A refusal of the VM's is on its standard output, the rest
/// of what goes wrong in its log.
std::string complaint(const command_output& output) {
  auto said =
    output.out.starts_with("unexpected response") ? first_line(output.out) : last_line(output.err);
  return said.empty() ? "it did not say why" : said;
}

result<std::string> read_output(const result<command_output>& ran, const std::string& command,
                                std::chrono::milliseconds timeout) {
  if (!ran)
    return failure{ran.why().code, "crosvm " + command + ": " + ran.why().what};
  if (ran->timed_out)
    return failure{ETIMEDOUT, "timed out: crosvm did not answer `" + command + "` within "
                                + std::to_string(timeout.count()) + " ms"};
  if (ran->status.kind != exit_kind::code || ran->status.value != 0)
    return failure{0, "crosvm " + command + ": " + complaint(*ran)};
  return ran->out;
}

/// The loop's thread alone.
class crosvm_session : public std::enable_shared_from_this<crosvm_session> {
public:
  using answer = std::function<void(result<std::string>)>;

  crosvm_session(event_loop& loop, worker_pool& workers, std::string program, bool extended_status,
                 channel_callbacks callbacks, control_timeouts timeouts)
      : loop_(loop),
        workers_(workers),
        program_(std::move(program)),
        callbacks_(std::move(callbacks)),
        timeouts_(timeouts) {
    record_.extended_status = extended_status;
  }

  /// There is nothing to wait for: crosvm tells nobody when its guest runs.
  void start() {
    if (callbacks_.on_up)
      callbacks_.on_up();
  }

  void run(std::vector<std::string> arguments, answer done) {
    if (ended_)
      return done(failure{EPIPE, "the VM has ended"});
    if (running_.size() >= max_running)
      return done(failure{EBUSY, "too many requests wait for crosvm's answer"});
    auto id = ++last_id_;
    auto name = arguments.front();
    if (name == command_for(vmm_request::quit))
      record_.quit_asked = true; // The VM may be gone before the command has its answer.
    auto& mine = running_[id];
    mine.done = std::move(done);
    mine.command = run_short_command(
      loop_, workers_, {program_, std::move(arguments), timeouts_.answer},
      [self = shared_from_this(), id, name](const auto& ran) { self->finish(id, name, ran); });
  }

  void conclude(exit_status status, std::function<void(vmm_exit)> done) {
    end("the VM has ended");
    done(read_crosvm_end(status, record_));
  }

  void end(const std::string& why) {
    ended_ = true;
    callbacks_ = {};
    for (auto& [id, asked] : std::exchange(running_, {})) {
      asked.command->cancel();
      asked.done(failure{EPIPE, why});
    }
  }

private:
  struct request {
    std::shared_ptr<running_command> command;
    answer done;
  };

  void finish(std::uint64_t id, const std::string& name, const result<command_output>& ran) {
    auto i = running_.find(id);
    if (i == running_.end())
      return;
    auto done = std::move(i->second.done);
    running_.erase(i);
    auto output = read_output(ran, name, timeouts_.answer);
    if (name == command_for(vmm_request::quit) && !output)
      record_.quit_asked = false;
    done(std::move(output));
  }

  event_loop& loop_;
  worker_pool& workers_;
  std::string program_;
  channel_callbacks callbacks_;
  control_timeouts timeouts_;
  crosvm_record record_;
  std::uint64_t last_id_ = 0;
  std::map<std::uint64_t, request> running_;
  bool ended_ = false;
};

class crosvm_channel final : public vmm_channel {
public:
  crosvm_channel(event_loop& loop, const vmm_info& crosvm, std::string socket,
                 std::uint64_t memory_bytes, std::shared_ptr<crosvm_session> session)
      : loop_(loop),
        has_powerbtn_(crosvm.has(crosvm_feature::powerbtn)),
        has_balloon_(crosvm.has(crosvm_feature::balloon)),
        socket_(std::move(socket)),
        memory_bytes_(memory_bytes),
        session_(std::move(session)) {}

  ~crosvm_channel() override {
    loop_.post([session = session_] { session->end("the VM was let go of"); });
  }

  void ask(vmm_request what, vmm_process::completion done) override {
    // At once, so that whoever wants the VM to stop goes on to the next means.
    if (what == vmm_request::power_button && !has_powerbtn_)
      return refuse("this crosvm has no power button", std::move(done));
    post({command_for(what), socket_}, without_value(std::move(done)));
  }

  void get_balloon(vmm_process::balloon_completion done) override {
    if (!has_balloon_)
      return refuse("this crosvm has no balloon", std::move(done));
    post({"balloon_stats", socket_}, [done = std::move(done),
                                      memory = memory_bytes_](result<std::string> printed) {
      done(printed ? parse_balloon_stats(*printed, memory) : result<balloon_info>{printed.why()});
    });
  }

  void set_balloon(std::uint64_t size_bytes, vmm_process::completion done) override {
    if (!has_balloon_)
      return refuse("this crosvm has no balloon", std::move(done));
    if (size_bytes >= memory_bytes_)
      return refuse("balloon: " + std::to_string(size_bytes) + " bytes leave the guest nothing of "
                      + "its " + std::to_string(memory_bytes_),
                    std::move(done));
    post({"balloon", std::to_string(size_bytes), socket_}, without_value(std::move(done)));
  }

  void conclude(exit_status status, std::function<void(vmm_exit)> done) override {
    loop_.post([session = session_, status, done = std::move(done)]() mutable {
      session->conclude(status, std::move(done));
    });
  }

private:
  static crosvm_session::answer without_value(vmm_process::completion done) {
    return [done = std::move(done)](result<std::string> printed) {
      done(printed ? result<void>{} : result<void>{printed.why()});
    };
  }

  template <class Completion>
  void refuse(std::string why, Completion done) {
    loop_.post([why = std::move(why), done = std::move(done)] { done(failure{ENOTSUP, why}); });
  }

  void post(std::vector<std::string> arguments, crosvm_session::answer done) {
    loop_.post(
      [session = session_, arguments = std::move(arguments), done = std::move(done)]() mutable {
        session->run(std::move(arguments), std::move(done));
      });
  }

  event_loop& loop_;
  bool has_powerbtn_;
  bool has_balloon_;
  std::string socket_;
  std::uint64_t memory_bytes_;
  std::shared_ptr<crosvm_session> session_;
};

} // namespace

std::shared_ptr<vmm_channel> make_crosvm_channel(event_loop& loop, worker_pool& workers,
                                                 const vmm_info& crosvm, std::string socket,
                                                 std::uint64_t memory_bytes,
                                                 channel_callbacks callbacks,
                                                 control_timeouts timeouts) {
  auto session = std::make_shared<crosvm_session>(loop, workers, crosvm.path,
                                                  crosvm.has(crosvm_feature::extended_status),
                                                  std::move(callbacks), timeouts);
  loop.post([session] { session->start(); });
  return std::make_shared<crosvm_channel>(loop, crosvm, std::move(socket), memory_bytes,
                                          std::move(session));
}

result<balloon_info> parse_balloon_stats(const std::string& printed, std::uint64_t memory_bytes) {
  auto object = json::parse(printed, nullptr, false);
  static const json::json_pointer where{"/BalloonStats/balloon_actual"};
  if (!object.is_object() || !object.contains(where) || !object[where].is_number_unsigned())
    return failure{0, "crosvm balloon_stats: printed no size but " + in_quotes(printed)};
  return balloon_info{object[where].get<std::uint64_t>(), memory_bytes};
}

} // namespace crosvisor::io
