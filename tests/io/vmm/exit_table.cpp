// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/vmm/exit_table.hpp"

#include <caf/test/dsl.hpp>

#include <csignal>

#undef CAF_SUITE
#define CAF_SUITE io.vmm.exit_table

using namespace crosvisor;
using namespace crosvisor::io;

namespace {

constexpr exit_status code(int value) {
  return {exit_kind::code, value};
}

constexpr exit_status by_signal(int value) {
  return {exit_kind::signal, value};
}

std::string crosvm(exit_status status, crosvm_record record = {true, false}) {
  return to_string(read_crosvm_end(status, record).reason);
}

std::string qemu(exit_status status, const std::string& reason, bool up = true,
                 bool panicked = false) {
  return to_string(read_qemu_end(status, {up, panicked, reason}).reason);
}

} // namespace

CAF_TEST(each exit code of crosvm has its reason) {
  CAF_CHECK_EQUAL(crosvm(code(0)), "shutdown");
  CAF_CHECK_EQUAL(crosvm(code(1)), "start_failed");
  CAF_CHECK_EQUAL(crosvm(code(32)), "reboot");
  CAF_CHECK_EQUAL(crosvm(code(33)), "crash");
  CAF_CHECK_EQUAL(crosvm(code(34)), "crash");
  CAF_CHECK_EQUAL(crosvm(code(35)), "start_failed");
  CAF_CHECK_EQUAL(crosvm(code(36)), "watchdog_reboot");
  CAF_CHECK_EQUAL(crosvm(code(37)), "unknown");
  CAF_CHECK_EQUAL(crosvm(code(255)), "unknown");
}

CAF_TEST(the end keeps its code and says a sentence) {
  auto end = read_crosvm_end(code(34), {true, false});
  CAF_CHECK_EQUAL(to_string(end), "exit code 34");
  CAF_CHECK_EQUAL(end.detail, "the guest's kernel panicked");
  CAF_CHECK_EQUAL(read_crosvm_end(code(99), {}).detail,
                  "crosvm ended with exit code 99, which has no meaning");
}

CAF_TEST(a crosvm without extended codes does not tell a reset from a power - off) {
  auto end = read_crosvm_end(code(0), {false, false});
  CAF_CHECK_EQUAL(to_string(end.reason), "shutdown");
  CAF_CHECK(end.detail.find("or was reset") != std::string::npos);
}

CAF_TEST(a crosvm that was told to stop was killed) {
  CAF_CHECK_EQUAL(crosvm(code(0), {true, true}), "killed");
  CAF_CHECK_EQUAL(crosvm(code(32), {true, true}), "reboot");
}

CAF_TEST(a signal from outside kills and one of its own crashes) {
  for (auto number : {SIGKILL, SIGTERM, SIGINT, SIGHUP}) {
    CAF_CHECK_EQUAL(crosvm(by_signal(number)), "killed");
    CAF_CHECK_EQUAL(qemu(by_signal(number), ""), "killed");
  }
  for (auto number : {SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGSYS}) {
    CAF_CHECK_EQUAL(crosvm(by_signal(number)), "crash");
    CAF_CHECK_EQUAL(qemu(by_signal(number), "guest-shutdown"), "crash");
  }
  CAF_CHECK_EQUAL(read_crosvm_end(by_signal(SIGKILL), {}).detail,
                  "crosvm was ended by signal 9 (Killed)");
}

CAF_TEST(a process that was lost is a failure of the host) {
  CAF_CHECK_EQUAL(crosvm({exit_kind::vanished, 0}), "infrastructure_error");
  CAF_CHECK_EQUAL(qemu({exit_kind::vanished, 0}, ""), "infrastructure_error");
}

CAF_TEST(QEMU is read by the reason of its shutdown) {
  CAF_CHECK_EQUAL(qemu(code(0), "guest-shutdown"), "shutdown");
  CAF_CHECK_EQUAL(qemu(code(0), "guest-reset"), "reboot");
  CAF_CHECK_EQUAL(qemu(code(0), "guest-panic"), "crash");
  CAF_CHECK_EQUAL(qemu(code(1), "guest-panic"), "crash");
  CAF_CHECK_EQUAL(qemu(code(0), "host-error"), "crash");
  CAF_CHECK_EQUAL(qemu(code(0), "host-qmp-quit"), "killed");
  CAF_CHECK_EQUAL(qemu(code(0), "host-signal"), "killed");
  CAF_CHECK_EQUAL(qemu(code(0), "host-qmp-system-reset"), "reboot");
  CAF_CHECK_EQUAL(qemu(by_signal(SIGKILL), "guest-shutdown"), "shutdown");
}

CAF_TEST(a panic that the guest told of stands even when it then resets) {
  CAF_CHECK_EQUAL(qemu(code(0), "guest-reset", true, true), "crash");
  CAF_CHECK_EQUAL(qemu(by_signal(SIGKILL), "", true, true), "crash");
}

CAF_TEST(a QEMU that says nothing is read by its code) {
  CAF_CHECK_EQUAL(qemu(code(1), "", false), "start_failed");
  CAF_CHECK_EQUAL(qemu(code(1), "", true), "crash");
  CAF_CHECK_EQUAL(qemu(code(0), "", true), "unknown");
  CAF_CHECK_EQUAL(qemu(code(0), "", false), "start_failed");
  CAF_CHECK_EQUAL(qemu(code(0), "a-new-reason", true), "unknown");
}
