// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/systemd/journal.hpp"

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include <sys/uio.h>
#include <syslog.h>

#include <cerrno>
#include <cstdio>

namespace crosvisor::io {

namespace {

int priority_of(log::level of) {
  switch (of) {
    case log::level::debug: return LOG_DEBUG;
    case log::level::info: return LOG_INFO;
    case log::level::warn: return LOG_WARNING;
    case log::level::error:
    case log::level::off: break;
  }
  return LOG_ERR;
}

void send(log::level of, const log::about_vm* vm, std::string_view line,
          std::optional<log::logged_event> event) {
  auto fields = journal_fields(of, vm, line, ::program_invocation_short_name, event);
  std::vector<iovec> parts;
  parts.reserve(fields.size());
  for (auto& field : fields)
    parts.push_back({field.data(), field.size()});
  if (::sd_journal_sendv(parts.data(), static_cast<int>(parts.size())) < 0)
    std::fprintf(stderr, "<%d>%.*s\n", priority_of(of), static_cast<int>(line.size()), line.data());
}

void write_to_journal(log::level of, const log::about_vm* vm, std::string_view line) {
  send(of, vm, line, std::nullopt);
}

void write_event_to_journal(log::logged_event what, log::level of, const log::about_vm* vm,
                            std::string_view line) {
  send(of, vm, line, what);
}

} // namespace

std::vector<std::string> journal_fields(log::level of, const log::about_vm* vm,
                                        std::string_view line, std::string_view program,
                                        std::optional<log::logged_event> event) {
  std::vector<std::string> fields{"MESSAGE=" + std::string{line},
                                  "PRIORITY=" + std::to_string(priority_of(of)),
                                  "SYSLOG_IDENTIFIER=" + std::string{program}};
  if (vm != nullptr)
    fields.push_back("CID=" + std::to_string(vm->cid));
  if (vm != nullptr && !vm->name.empty())
    fields.push_back("NAME=" + std::string{vm->name});
  if (event) {
    fields.push_back("MESSAGE_ID=" + std::string{log::message_id_of(*event)});
    fields.push_back("CROSVISOR_EVENT=" + std::string{log::name_of(*event)});
  }
  return fields;
}

void log_to_journal() {
  if (!log::stderr_is_journal())
    return;
  log::write_to(write_to_journal);
  log::write_events_to(write_event_to_journal);
}

} // namespace crosvisor::io
