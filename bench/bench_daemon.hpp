// SPDX-License-Identifier: Apache-2.0
// The daemon that is measured, as a process of its own, and the rival's.
#pragma once

#include "crosvisor/bench/measured_process.hpp"
#include "crosvisor/service/connection.hpp"
#include "crosvisor/tests/io/temp_dir.hpp"

#include <caf/scoped_actor.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace crosvisor::bench {

/// A TCP port of the loopback's that was free a moment ago.
std::uint16_t free_port();

/// `crosvisord` in a directory of its own, with a Unix socket and TLS on the loopback.
class bench_daemon {
public:
  /// @param qemu QEMU's program; empty: searched for.
  explicit bench_daemon(const std::string& qemu);
  bench_daemon(const bench_daemon&) = delete;
  bench_daemon& operator=(const bench_daemon&) = delete;
  /// Has it stop its VMs.
  ~bench_daemon();

  const tests::temp_dir& folder() const noexcept { return folder_; }
  double resident() const { return process_->resident(); }

  /// Kills it and starts another one in the same directory.
  /// @returns the seconds from the start of that until it serves.
  double kill_and_restart();

  /// `crosvisor ARGUMENT...` as whoever runs this.
  program_line command(std::vector<std::string> arguments) const;

  /// The same over TLS, as somebody of another host.
  program_line command_by_tls(std::vector<std::string> arguments) const;

  std::unique_ptr<connection> connect() const;
  std::unique_ptr<connection> connect_by_tls() const;

private:
  std::string socket() const { return folder_ / "crosvisord.sock"; }
  void start();
  connection_options by_socket() const;

  tests::temp_dir folder_;
  std::uint16_t port_ = 0;
  std::optional<background_process> process_;
};

/// libvirtd as a user of its own, which needs no part of the system's configuration; throws
/// not_here where it is not installed.
class bench_libvirt {
public:
  bench_libvirt();

  double resident() const { return process_->resident(); }

  /// `virsh ARGUMENT...` as that user.
  program_line command(std::vector<std::string> arguments) const;

  /// Where it may read files.
  std::string shared(const std::string& name) const { return folder_ / name; }

private:
  std::vector<std::string> environment() const;

  tests::temp_dir folder_;
  std::optional<background_process> process_;
};

} // namespace crosvisor::bench
