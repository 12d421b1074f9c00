// SPDX-License-Identifier: Apache-2.0
// The one way to log: log::info("vm {} started vmm pid {}", cid, pid), subject verb object.
#pragma once

#include "crosvisor/messages/fwd.hpp"

#include <fmt/core.h>

#include <cstdint>
#include <string_view>

namespace crosvisor::log {

/// error: a requested action failed, or the service can't go on. warn: something abnormal, the
/// service goes on. info: for an operator who doesn't know the code. debug: the rest.
enum class level : std::uint8_t { debug, info, warn, error, off };

/// Lines below `least` are dropped. Any thread; `warn` until it is called.
void set_level(level least);

bool enabled(level of) noexcept;

/// The VM that a line is about. Borrows its name.
struct about_vm {
  vm_cid cid = no_cid;
  std::string_view name = {};
};

/// One line to standard error: with a time for people, or with a `<N>` priority and without one
/// when the journal reads it (sd-daemon(3)); or to where write_to() says. Any thread.
/// `vm` is null where it is about none.
void write(level of, const about_vm* vm, fmt::string_view format, fmt::format_args args);

/// Takes a line; `vm` is null where it is about none. Called on any thread.
using line_writer = void (*)(level of, const about_vm* vm, std::string_view line);

/// Lines go to `writer` from now on; null: to standard error. Any thread.
void write_to(line_writer writer) noexcept;

/// Whether standard error is the journal's: systemd.exec(5), $JOURNAL_STREAM.
bool stderr_is_journal();

template <class... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(level::debug))
    write(level::debug, nullptr, format, fmt::make_format_args(args...));
}

template <class... Args>
void debug(const about_vm& vm, fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(level::debug))
    write(level::debug, &vm, format, fmt::make_format_args(args...));
}

template <class... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(level::info))
    write(level::info, nullptr, format, fmt::make_format_args(args...));
}

template <class... Args>
void info(const about_vm& vm, fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(level::info))
    write(level::info, &vm, format, fmt::make_format_args(args...));
}

template <class... Args>
void warn(fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(level::warn))
    write(level::warn, nullptr, format, fmt::make_format_args(args...));
}

template <class... Args>
void warn(const about_vm& vm, fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(level::warn))
    write(level::warn, &vm, format, fmt::make_format_args(args...));
}

template <class... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(level::error))
    write(level::error, nullptr, format, fmt::make_format_args(args...));
}

template <class... Args>
void error(const about_vm& vm, fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(level::error))
    write(level::error, &vm, format, fmt::make_format_args(args...));
}

} // namespace crosvisor::log
