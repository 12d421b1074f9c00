// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/systemd/notify.hpp"

#include "crosvisor/io/config/printable.hpp"
#include "crosvisor/io/logging.hpp"

#include <systemd/sd-daemon.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace crosvisor::io {

namespace {

constexpr std::size_t max_status_bytes = 1000;

} // namespace

bool is_notified() noexcept {
  const char* socket = std::getenv("NOTIFY_SOCKET");
  return socket != nullptr && *socket != '\0';
}

void notify(const std::string& state) {
  static std::atomic<bool> complained{false};
  auto sent = ::sd_notify(0, state.c_str());
  if (sent < 0 && !complained.exchange(true))
    log::warn("service manager can't be told: {}", std::strerror(-sent));
}

std::optional<std::chrono::microseconds> watchdog_interval() {
  std::uint64_t interval_us = 0;
  if (::sd_watchdog_enabled(0, &interval_us) <= 0 || interval_us == 0)
    return std::nullopt;
  return std::chrono::microseconds{interval_us};
}

std::string reloading_state() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  auto us = static_cast<std::uint64_t>(now.tv_sec) * 1'000'000u
            + static_cast<std::uint64_t>(now.tv_nsec) / 1000u;
  return "RELOADING=1\nMONOTONIC_USEC=" + std::to_string(us);
}

std::string status_state(const std::string& words) {
  return "STATUS=" + printable(words, max_status_bytes);
}

} // namespace crosvisor::io
