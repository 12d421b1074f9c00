// SPDX-License-Identifier: Apache-2.0
// The vsock device of one VM: everything around one epoll, on one thread.
#pragma once

#include "crosvisor/io/vsock/poller.hpp"
#include "crosvisor/io/vsock/report.hpp"
#include "crosvisor/io/vsock/service_channel.hpp"
#include "crosvisor/io/vsock/switchboard.hpp"
#include "crosvisor/io/vsock/vhost_backend.hpp"

#include <chrono>
#include <cstdint>
#include <memory>

namespace crosvisor::io::vsock {

/// What a device is made of.
struct device_plan {
  std::uint32_t guest_cid = 3; ///< 3 to 0xFFFFFFFE.
  unique_fd vmm;               ///< AF_UNIX SOCK_STREAM, to the VMM: vhost-user.
  unique_fd service;           ///< AF_UNIX SOCK_SEQPACKET, to the service: service_protocol.hpp.
  clock_function clock = [] { return std::chrono::steady_clock::now(); };
  /// How long hosts have at the end, and when the VM stops, to take what the guest had sent.
  std::chrono::milliseconds last_flush{500};
  /// Gets lines for the operator.
  std::function<void(std::string_view)> sink = [](std::string_view) {};
};

/// Whether a device goes on, or how it has ended.
enum class device_state { running, ended, failed };

/// Not movable, since its parts know each other.
class device {
public:
  static result<std::unique_ptr<device>> make(device_plan plan);
  device(const device&) = delete;
  device& operator=(const device&) = delete;

  /// Waits for something to do, for `longest` at most, and does a round of it. Once the VMM or the
  /// service has gone it has `ended`; on a broken protocol it has `failed`, and why went to the
  /// sink. By then all hosts' ends are closed.
  device_state turn(std::chrono::milliseconds longest);

  /// For tests: what is held now.
  std::size_t connections() const noexcept { return board_.connections(); }

private:
  device(device_plan plan, poller poll);

  std::chrono::milliseconds wait_time(std::chrono::milliseconds longest) const;
  void take_event(std::uint64_t token, std::uint32_t events);
  void read_vmm();
  void read_service();
  void check_service();
  void follow_rings();
  void round();
  void call_for_taken();
  void last_scan();
  void finish(device_state how, std::string_view why = {});

  clock_function clock_;
  std::chrono::milliseconds last_flush_;
  unique_fd vmm_;
  poller poll_;
  report log_;
  service_channel service_;
  vhost_reader reader_;
  vhost_backend backend_;
  switchboard board_;
  device_state state_ = device_state::running;
  bool was_running_ = false;
  bool busy_ = false; ///< There is more to do: don't wait.
  std::chrono::steady_clock::time_point taken_call_at_ = connection::never;
  bool vmm_ready_ = false;
  bool service_ready_ = true;
};

} // namespace crosvisor::io::vsock
