// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/logged_events.hpp"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <sys/stat.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>

namespace crosvisor::log {

namespace {

spdlog::level::level_enum to_spdlog(level of) {
  switch (of) {
    case level::debug: return spdlog::level::debug;
    case level::info: return spdlog::level::info;
    case level::warn: return spdlog::level::warn;
    case level::error: return spdlog::level::err;
    case level::off: break;
  }
  return spdlog::level::off;
}

/// The `<N>` of sd-daemon(3), from syslog's priorities.
class priority_flag final : public spdlog::custom_flag_formatter {
public:
  void format(const spdlog::details::log_msg& msg, const std::tm&,
              spdlog::memory_buf_t& dest) override {
    std::string_view text = "<7>";
    if (msg.level == spdlog::level::info)
      text = "<6>";
    else if (msg.level == spdlog::level::warn)
      text = "<4>";
    else if (msg.level >= spdlog::level::err)
      text = "<3>";
    dest.append(text.data(), text.data() + text.size());
  }

  std::unique_ptr<spdlog::custom_flag_formatter> clone() const override {
    return std::make_unique<priority_flag>();
  }
};

std::shared_ptr<spdlog::logger> make_logger() {
  auto sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  auto formatter = std::make_unique<spdlog::pattern_formatter>();
  if (stderr_is_journal())
    formatter->add_flag<priority_flag>('*').set_pattern("%*%v");
  else
    formatter->set_pattern("%Y-%m-%dT%H:%M:%S.%e %l %v");
  sink->set_formatter(std::move(formatter));
  auto logger = std::make_shared<spdlog::logger>("crosvisor", std::move(sink));
  logger->set_level(spdlog::level::warn);
  logger->flush_on(spdlog::level::debug);
  return logger;
}

spdlog::logger& logger() {
  static const auto instance = make_logger();
  return *instance;
}

/// Null: standard error.
std::atomic<line_writer> writer_in_use{nullptr};

void write_line(level of, const about_vm* vm, std::string_view line) {
  if (auto writer = writer_in_use.load())
    return writer(of, vm, line);
  logger().log(to_spdlog(of), spdlog::string_view_t{line.data(), line.size()});
}

struct event_facts {
  const char* name;
  const char* id;
  level of;
};

/// In the order of the enumeration. An id is never given to another event.
constexpr std::array<event_facts, logged_event_count> events{{
  {"serving", "a2998036295545cc84b8dd9732da31f2", level::info},
  {"stopping", "c5bfb5367fbc4c7a9192b29c7054f68b", level::info},
  {"leaving", "13894a6d2c94468096ee61634fb261ac", level::info},
  {"config_reloaded", "bdf6d54b514240aeace702b2d20fbd95", level::info},
  {"config_refused", "63f05fd179c84b63b9711f8caad4a7ee", level::error},
  {"vm_created", "c10b5418d651410d855e7652bc2f8de4", level::info},
  {"vm_started", "ff9a9cb10eb5491595bf95413b60281e", level::info},
  {"vm_died", "b1cd4299a6614ca280e24bfa88d72701", level::info},
  {"vm_restarting", "53cdd7baaa27401093a13b179ffd0ac9", level::info},
  {"vm_given_up", "73eba1542f1c441bae8744299962c4f0", level::warn},
  {"vm_adopted", "8732a2387bee4c9faf665e54e510efdf", level::info},
  {"vm_lost", "07b5220d243240c6a22603eb467e3db4", level::warn},
  {"vm_refused", "1a6ca392b3384b19ba9a330fc5765fe4", level::info},
  {"limit_reached", "5e7588e08218440fba5c35c4847eeae9", level::warn},
}};

const event_facts& facts_of(logged_event what) noexcept {
  return events[static_cast<std::size_t>(what)];
}

std::atomic<event_writer> event_writer_in_use{nullptr};

/// Whether one more refusal of this kind may be written.
bool is_rare(logged_event what) {
  struct minute {
    std::chrono::steady_clock::time_point began;
    std::size_t written = most_refusals_a_minute;
  };
  static std::mutex mutex;
  static std::array<minute, logged_event_count> minutes;
  if (what != logged_event::vm_refused && what != logged_event::limit_reached)
    return true;
  std::lock_guard lock{mutex};
  auto& last = minutes[static_cast<std::size_t>(what)];
  auto now = std::chrono::steady_clock::now();
  if (now - last.began >= std::chrono::minutes{1})
    last = {now, 0};
  return last.written++ < most_refusals_a_minute;
}

} // namespace

bool stderr_is_journal() {
  const auto* stream = std::getenv("JOURNAL_STREAM");
  struct stat st {};
  if (stream == nullptr || ::fstat(STDERR_FILENO, &st) != 0)
    return false;
  return std::to_string(st.st_dev) + ":" + std::to_string(st.st_ino) == stream;
}

void write_to(line_writer writer) noexcept {
  writer_in_use.store(writer);
}

void set_level(level least) {
  logger().set_level(to_spdlog(least));
}

bool enabled(level of) noexcept {
  return logger().should_log(to_spdlog(of));
}

void write(level of, const about_vm* vm, fmt::string_view format, fmt::format_args args) {
  write_line(of, vm, fmt::vformat(format, args));
}

const char* message_id_of(logged_event what) noexcept {
  return facts_of(what).id;
}

const char* name_of(logged_event what) noexcept {
  return facts_of(what).name;
}

void write_events_to(event_writer writer) noexcept {
  event_writer_in_use.store(writer);
}

void write(logged_event what, const about_vm* vm, fmt::string_view format, fmt::format_args args) {
  auto of = facts_of(what).of;
  if (!enabled(of) || !is_rare(what))
    return;
  auto line = fmt::vformat(format, args);
  if (auto writer = event_writer_in_use.load())
    return writer(what, of, vm, line);
  write_line(of, vm, line);
}

} // namespace crosvisor::log
