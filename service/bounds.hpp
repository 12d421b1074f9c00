// SPDX-License-Identifier: Apache-2.0
// What VMs and their clients may cost a service, in one place. docs/daemon.md has each with its key
// and what happens at it, and those that are constants.
#pragma once

#include "crosvisor/io/images/image_index.hpp"
#include "crosvisor/io/log/log_bounds.hpp"
#include "crosvisor/io/tickets/ticket_store.hpp"
#include "crosvisor/service/transport/transport.hpp"

#include <chrono>
#include <cstddef>

namespace crosvisor {

/// Those that the door keeps. What goes beyond one is refused as busy, in a sentence with the key.
/// All are at least 1. Each is named as its key below `limits` is; "user" stands for a principal.
struct door_bounds {
  /// VMs, dead ones that are not forgotten included. Each has a keeper.
  std::size_t vms = 4096;
  std::size_t vms_per_user = 1024;
  /// Requests that wait for an answer.
  std::size_t requests = 16'384;
  std::size_t requests_per_user = 4096;
  /// To events and to output, and watches.
  std::size_t subscriptions = 16'384;
  std::size_t subscriptions_per_user = 256;
  /// Streams to guests' ports; of each 2 MiB may be on its way.
  std::size_t streams = 1024;
  std::size_t streams_per_user = 128;
  /// Images that are not made yet.
  std::size_t images = 1024;
  std::size_t images_per_user = 256;
  /// Actors of one principal's that hold one VM.
  std::size_t references_per_user = 64;
  /// Who is told one VM's events, those excepted who watch all.
  std::size_t subscribers_per_vm = 1024;
  /// Who reads one VM's output as messages.
  std::size_t output_readers_per_vm = 32;
  /// Connections to one VM's ports that are not made yet.
  std::size_t connects_per_vm = 128;
  /// Who may use one VM, its owner included; a note has room for no more than 64.
  std::size_t users_per_vm = 64;
  /// Words that pass one VM on and were not said yet.
  std::size_t passes_per_vm = 16;
  /// Events that are kept for those who ask for them; the oldest make room.
  std::size_t events_kept = 1024;
};

/// Of logs on disk, which the backend keeps.
struct log_limits {
  io::log_bounds each; ///< Of each of a VM's three logs.
  /// Dead VMs whose logs are kept; the oldest are removed.
  std::size_t vms = 64;
};

/// Of a VM's restarts: so many in so long, then it is given up.
struct restart_limits {
  std::size_t most = 10;
  std::chrono::milliseconds window = std::chrono::hours{1};
};

struct service_bounds {
  door_bounds door;
  transport::peer_limits peers; ///< Of each listener.
  io::ticket_limits tickets;
  log_limits logs;
  restart_limits restarts;
  io::image_bounds images;
  /// Of one VM's output, kept for those who read it late; then the guest waits.
  std::size_t output_bytes = 1u << 20;
};

} // namespace crosvisor
