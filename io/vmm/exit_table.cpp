// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/vmm/exit_table.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <optional>

namespace crosvisor::io {

namespace {

/// A signal that a process brings on itself, by an assertion or a fault, as against one that was
/// sent to end it. crosvm's panic hook and QEMU's assertions end in SIGABRT.
bool is_crash(int signal) {
  constexpr std::array crashes{SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS};
  return std::find(crashes.begin(), crashes.end(), signal) != crashes.end();
}

std::string with_name(int signal) {
  // Safe on any thread since glibc 2.32.
  const auto* name = ::strsignal(signal);
  return "signal " + std::to_string(signal) + (name ? " (" + std::string{name} + ")" : "");
}

vmm_exit make_exit(exit_status status, death_reason reason, std::string detail) {
  return {status.kind, status.value, reason, std::move(detail)};
}

/// The end of a process that has no exit code.
vmm_exit without_code(exit_status status, const std::string& vmm) {
  if (status.kind != exit_kind::signal)
    return make_exit(status, death_reason::infrastructure_error, vmm + "'s process was lost");
  if (is_crash(status.value))
    return make_exit(status, death_reason::crash, vmm + " crashed by " + with_name(status.value));
  return make_exit(status, death_reason::killed, vmm + " was ended by " + with_name(status.value));
}

struct code_meaning {
  int code;
  death_reason reason;
  const char* detail;
};

constexpr std::array<code_meaning, 6> crosvm_codes{{
  {1, death_reason::start_failed, "crosvm gave up on an error; its messages say which"},
  {32, death_reason::reboot, "the guest asked for a reset"},
  {33, death_reason::crash, "the VM or one of its devices crashed"},
  {34, death_reason::crash, "the guest's kernel panicked"},
  {35, death_reason::start_failed, "crosvm refused its command line"},
  {36, death_reason::watchdog_reboot, "a virtual CPU of the guest stalled"},
}};

vmm_exit read_crosvm_success(exit_status status, const crosvm_record& record) {
  if (record.quit_asked)
    return make_exit(status, death_reason::killed, "crosvm was told to stop the VM");
  if (record.extended_status)
    return make_exit(status, death_reason::shutdown, "the guest powered off");
  return make_exit(status, death_reason::shutdown,
                   "the guest powered off or was reset; this crosvm doesn't tell which");
}

struct reason_meaning {
  const char* word;
  death_reason reason;
  const char* detail;
};

constexpr std::array<reason_meaning, 9> qemu_reasons{{
  {"guest-shutdown", death_reason::shutdown, "the guest powered off"},
  {"guest-reset", death_reason::reboot, "the guest asked for a reset"},
  {"guest-panic", death_reason::crash, "the guest's kernel panicked"},
  {"host-error", death_reason::crash, "an error keeps QEMU from going on with the guest"},
  {"host-qmp-quit", death_reason::killed, "QEMU was told to quit"},
  {"host-signal", death_reason::killed, "QEMU was ended by a signal"},
  {"host-ui", death_reason::killed, "QEMU was closed"},
  {"host-qmp-system-reset", death_reason::reboot, "QEMU was told to reset the guest"},
  {"subsystem-reset", death_reason::reboot, "a device reset the guest"},
}};

std::optional<vmm_exit> by_reason(exit_status status, const std::string& word) {
  auto i = std::find_if(qemu_reasons.begin(), qemu_reasons.end(),
                        [&](const auto& meaning) { return word == meaning.word; });
  if (i == qemu_reasons.end())
    return std::nullopt;
  return make_exit(status, i->reason, i->detail);
}

vmm_exit read_qemu_code(exit_status status, const qemu_record& record) {
  auto code = "exit code " + std::to_string(status.value);
  if (!record.up)
    return make_exit(status, death_reason::start_failed,
                     "QEMU could not start the guest; it gave up with " + code);
  if (status.value != 0)
    return make_exit(status, death_reason::crash, "QEMU gave up with " + code);
  return make_exit(status, death_reason::unknown, "QEMU ended without saying why");
}

} // namespace

vmm_exit read_crosvm_end(exit_status status, const crosvm_record& record) {
  if (status.kind != exit_kind::code)
    return without_code(status, "crosvm");
  if (status.value == 0)
    return read_crosvm_success(status, record);
  auto i = std::find_if(crosvm_codes.begin(), crosvm_codes.end(),
                        [&](const auto& meaning) { return status.value == meaning.code; });
  if (i != crosvm_codes.end())
    return make_exit(status, i->reason, i->detail);
  return make_exit(status, death_reason::unknown,
                   "crosvm ended with exit code " + std::to_string(status.value)
                     + ", which has no meaning");
}

vmm_exit read_qemu_end(exit_status status, const qemu_record& record) {
  if (status.kind == exit_kind::signal && is_crash(status.value))
    return without_code(status, "QEMU");
  if (record.panicked)
    return make_exit(status, death_reason::crash, "the guest's kernel panicked");
  // What the guest did stands, also where QEMU was then killed because it took its time to end.
  if (auto end = by_reason(status, record.shutdown_reason))
    return *end;
  return status.kind == exit_kind::code ? read_qemu_code(status, record)
                                        : without_code(status, "QEMU");
}

} // namespace crosvisor::io
