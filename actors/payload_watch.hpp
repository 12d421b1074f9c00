// SPDX-License-Identifier: Apache-2.0
// What a guest says of its payload, put in order. A value: no actor, no clock.
#pragma once

#include "crosvisor/messages/payload_status.hpp"
#include "crosvisor/messages/vm_event.hpp"

#include <string>
#include <vector>

namespace crosvisor::actors {

/// Something that is worth an event: `payload_started`, `ready`, `finished` or `payload_error`.
struct payload_news {
  vm_event_kind kind;
  payload_info then; ///< What is known with it.
};

/// Takes status lines only forward: started < ready < finished, each once, steps may be left out;
/// an error once, whenever it comes. A guest is believed in nothing else.
class payload_watch {
public:
  struct step {
    /// False: the line repeats or goes back, and is ignored.
    bool in_order = false;
    std::vector<payload_news> news; ///< In the order to be told; may be empty.
  };

  step take(const payload_status& line);

  /// The payload opened a connection for its output. As in the seed, that is a payload that has
  /// started, also where the guest has no status channel.
  std::vector<payload_news> output_connected();

private:
  void tell_started(std::vector<payload_news>& news);

  payload_info info_;
  int rank_ = 0; ///< 1 started, 2 ready, 3 finished.
};

} // namespace crosvisor::actors
