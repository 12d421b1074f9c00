// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/vmm/qmp_channel.hpp"

#include "crosvisor/io/vmm/qmp_session.hpp"

namespace crosvisor::io {

using nlohmann::json;

namespace {

const char* command_for(vmm_request what) {
  switch (what) {
    case vmm_request::power_button: return "system_powerdown";
    case vmm_request::quit: return "quit";
    case vmm_request::suspend: return "stop";
    case vmm_request::resume: break;
  }
  return "cont";
}

/// QEMU counts the memory that is left to the guest; so does its balloon's target.
result<balloon_info> read_balloon(const result<json>& answer, std::uint64_t memory_bytes) {
  if (!answer)
    return answer.why();
  auto left = number_at(*answer, "actual");
  if (!left)
    return failure{0, "QEMU: query-balloon did not say how much memory the guest has"};
  return balloon_info{memory_bytes - std::min(*left, memory_bytes), memory_bytes};
}

/// Passes every call on to the loop's thread.
class qmp_channel final : public vmm_channel {
public:
  qmp_channel(event_loop& loop, std::uint64_t memory_bytes, std::shared_ptr<qmp_session> session)
      : loop_(loop), memory_bytes_(memory_bytes), session_(std::move(session)) {}

  ~qmp_channel() override {
    loop_.post([session = session_] { session->abandon(); });
  }

  void ask(vmm_request what, vmm_process::completion done) override {
    post(command_for(what), nullptr, without_value(std::move(done)));
  }

  void get_balloon(vmm_process::balloon_completion done) override {
    post("query-balloon", nullptr,
         [done = std::move(done), memory = memory_bytes_](result<json> answer) {
           done(read_balloon(answer, memory));
         });
  }

  void set_balloon(std::uint64_t size_bytes, vmm_process::completion done) override {
    if (size_bytes >= memory_bytes_)
      return loop_.post([done = std::move(done), why = too_large(size_bytes)] { done(why); });
    post("balloon", {{"value", memory_bytes_ - size_bytes}}, without_value(std::move(done)));
  }

  void conclude(exit_status status, std::function<void(vmm_exit)> done) override {
    loop_.post([session = session_, status, done = std::move(done)]() mutable {
      session->conclude(status, std::move(done));
    });
  }

private:
  static qmp_session::answer without_value(vmm_process::completion done) {
    return [done = std::move(done)](result<json> answer) {
      done(answer ? result<void>{} : result<void>{answer.why()});
    };
  }

  failure too_large(std::uint64_t size_bytes) const {
    return {0, "balloon: " + std::to_string(size_bytes) + " bytes leave the guest nothing of its "
                 + std::to_string(memory_bytes_)};
  }

  void post(std::string command, json arguments, qmp_session::answer done) {
    loop_.post(
      [session = session_, command = std::move(command), arguments = std::move(arguments),
       done = std::move(done)]() mutable { session->ask(command, arguments, std::move(done)); });
  }

  event_loop& loop_;
  std::uint64_t memory_bytes_;
  std::shared_ptr<qmp_session> session_;
};

} // namespace

std::shared_ptr<vmm_channel> make_qmp_channel(event_loop& loop, unique_fd socket,
                                              std::uint64_t memory_bytes,
                                              channel_callbacks callbacks,
                                              control_timeouts timeouts) {
  auto session =
    std::make_shared<qmp_session>(loop, std::move(socket), std::move(callbacks), timeouts);
  loop.post([session] { session->start(); });
  return std::make_shared<qmp_channel>(loop, memory_bytes, std::move(session));
}

} // namespace crosvisor::io
