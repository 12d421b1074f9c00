// SPDX-License-Identifier: Apache-2.0
// What a hostile client may try. Each one knows what has to become of its connection; that the
// service lives, stays small and serves others, is for who runs them to see.
#pragma once

#include "crosvisor/tests/service/transport/raw_peer.hpp"
#include "crosvisor/tests/service/transport/server_process.hpp"

#include <functional>
#include <string>
#include <vector>

namespace crosvisor::tests {

/// Whom to attack, over any transport.
struct attack_target {
  raw_connect connect;
  /// Whether a client's node id has to name its process.
  bool binds_process_ids = true;
};

struct attack {
  std::string name;
  /// @returns what went wrong; empty: all as it has to be.
  std::function<std::string(const attack_target&)> run;
};

/// One connection, a few frames.
std::vector<attack> small_attacks();

/// Many connections, many frames.
std::vector<attack> large_attacks();

/// Runs one against a service with a good client beside it, and checks that the service lives, what
/// memory it took, and that the good client and a new one are served. For use in a test's case.
void withstands(const attack& what, const attack_target& target, server_process& server,
                raw_peer& good);

} // namespace crosvisor::tests
