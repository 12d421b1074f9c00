// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/failpoint.hpp"

#include <array>

#ifdef CROSVISOR_FAILPOINTS
#include "crosvisor/io/unique_fd.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string>
#endif

namespace crosvisor::io {

namespace {

constexpr std::array<std::string_view, failpoint_count> names{
  "claim_cid",        "save_cid",        "build_images",
  "make_image",       "write_file",      "replace_record",
  "remove_record",    "write_journal",   "start_keeper",
  "keeper_started",   "hear_up",         "hear_exit",
  "hear_connection",  "take_connection", "ask_keeper",
  "signal_keeper",    "note_vm",         "release_keeper",
  "life_aside",       "find_keepers",    "greet_keeper",
  "hear_hello",       "adopt_vm",        "serve",
  "begin_keeper",     "welcome_service", "record_exit",
  "exit_recorded",    "release_vm",      "step_aside",
  "make_runtime_dir", "make_logs",       "make_vsock",
  "make_disk_server", "make_control",    "start_vmm",
  "vmm_started",      "tell_up",         "ask_vmm",
  "signal_vmm",       "tell_exit",       "remove_runtime_dir",
  "guest_connected",  "connect_guest",   "open_output",
  "put_ticket",       "take_ticket",     "begin_upload",
  "put_piece",        "store_image",     "image_stored",
  "remove_image",     "open_image",
};

} // namespace

std::string_view name_of(failpoint point) noexcept {
  return names[static_cast<std::size_t>(point)];
}

#ifdef CROSVISOR_FAILPOINTS

namespace {

enum class deed : std::uint8_t { none, log, kill, fail, pause, cut };

struct plan {
  deed what = deed::none;
  int code = 0;
  unsigned nth = 0; // 0: every time.
  std::atomic<unsigned> reached{0};
};

using plans = std::array<plan, failpoint_count>;

struct named_errno {
  std::string_view name;
  int code;
};

constexpr named_errno errnos[] = {
  {"EACCES", EACCES}, {"EAGAIN", EAGAIN}, {"EINTR", EINTR},   {"EIO", EIO},
  {"EMFILE", EMFILE}, {"ENFILE", ENFILE}, {"ENOMEM", ENOMEM}, {"ENOSPC", ENOSPC},
};

[[noreturn]] void refuse(std::string_view entry) noexcept {
  auto line = "failpoint \"" + std::string{entry} + "\" is not known\n";
  (void)!::write(STDERR_FILENO, line.data(), line.size());
  std::abort(); // A test that names a step that is not there must not pass.
}

void set(plan& to, std::string_view entry, std::string_view words) noexcept {
  if (auto colon = words.find(':'); colon != std::string_view::npos) {
    auto number = words.substr(colon + 1);
    auto [end, why] = std::from_chars(number.data(), number.data() + number.size(), to.nth);
    if (why != std::errc{} || end != number.data() + number.size() || to.nth == 0)
      refuse(entry);
    words = words.substr(0, colon);
  }
  if (words == "log")
    to.what = deed::log;
  else if (words == "kill")
    to.what = deed::kill;
  else if (words == "pause")
    to.what = deed::pause;
  else if (words == "short")
    to.what = deed::cut;
  else if (auto found = std::find_if(std::begin(errnos), std::end(errnos),
                                     [&](const auto& one) { return one.name == words; });
           found != std::end(errnos)) {
    to.what = deed::fail;
    to.code = found->code;
  } else {
    refuse(entry);
  }
}

void read_plans(plans& into) noexcept {
  const auto* text = std::getenv("CROSVISOR_FAILPOINTS");
  std::string_view rest = text != nullptr ? text : "";
  while (!rest.empty()) {
    auto entry = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(entry.size() + 1, rest.size()));
    auto equals = entry.find('=');
    auto name = std::find(names.begin(), names.end(), entry.substr(0, equals));
    if (equals == std::string_view::npos || name == names.end())
      refuse(entry);
    set(into[static_cast<std::size_t>(name - names.begin())], entry, entry.substr(equals + 1));
  }
}

plan& plan_of(failpoint point) noexcept {
  static plans& all = []() -> plans& {
    static plans read;
    read_plans(read);
    return read;
  }();
  return all[static_cast<std::size_t>(point)];
}

bool is_due(plan& of) noexcept {
  if (of.what == deed::none)
    return false;
  auto count = of.reached.fetch_add(1) + 1;
  return of.nth == 0 || count == of.nth;
}

void record(failpoint point) noexcept {
  const auto* path = std::getenv("CROSVISOR_FAILPOINT_LOG");
  if (path == nullptr)
    return;
  unique_fd log{::open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666)};
  auto line = std::string{name_of(point)} + '\n';
  (void)!::write(log.get(), line.data(), line.size());
}

/// Until a writer of the FIFO was there and has gone.
void wait_at_gate() noexcept {
  const auto* path = std::getenv("CROSVISOR_FAILPOINT_GATE");
  if (path == nullptr)
    return;
  unique_fd gate{::open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)};
  pollfd ready{gate.get(), POLLIN, 0};
  constexpr int bound_ms = 60'000;
  while (::poll(&ready, 1, bound_ms) < 0 && errno == EINTR)
    ;
}

} // namespace

int reach(failpoint point) noexcept {
  auto& planned = plan_of(point);
  if (planned.what == deed::cut || !is_due(planned))
    return 0;
  record(point);
  if (planned.what == deed::kill)
    ::raise(SIGKILL);
  if (planned.what == deed::pause)
    wait_at_gate();
  return planned.what == deed::fail ? planned.code : 0;
}

std::size_t at_most(failpoint point, std::size_t bytes) noexcept {
  auto& planned = plan_of(point);
  if (planned.what != deed::cut || !is_due(planned))
    return bytes;
  record(point);
  return std::max<std::size_t>(bytes / 2, 1);
}

std::vector<std::string> keeper_failpoints() {
  std::vector<std::string> made;
  auto pass_on = [&](const char* name, const char* as) {
    if (const auto* value = std::getenv(name))
      made.push_back(std::string{as} + '=' + value);
  };
  pass_on("CROSVISOR_KEEPER_FAILPOINTS", "CROSVISOR_FAILPOINTS");
  pass_on("CROSVISOR_KEEPER_FAILPOINT_LOG", "CROSVISOR_FAILPOINT_LOG");
  pass_on("CROSVISOR_FAILPOINT_GATE", "CROSVISOR_FAILPOINT_GATE");
  return made;
}

std::optional<failure> injected(failpoint point) {
  if (auto code = reach(point))
    return failure{code, std::string{name_of(point)} + ": " + std::strerror(code)};
  return std::nullopt;
}

#endif

} // namespace crosvisor::io
