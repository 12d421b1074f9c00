// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/logging.hpp"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <sys/stat.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <memory>
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

} // namespace crosvisor::log
