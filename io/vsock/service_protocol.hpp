// SPDX-License-Identifier: Apache-2.0
// What a crosvisor-vsock and the service that started it say to each other.
//
// One AF_UNIX SOCK_SEQPACKET pair, one packet a message: a channel_message in the host's byte
// order, with at most one descriptor (SCM_RIGHTS). Both sides are one version of crosvisor; a
// packet of another size, kind or number of descriptors is an error that ends the reader.
#pragma once

#include <cstdint>

namespace crosvisor::io::vsock {

/// Which message it is; the value says who sends it.
enum class message_kind : std::uint32_t {
  // From the service.
  listen = 1,   ///< `port`: guests may open this host port from now on.
  unlisten = 2, ///< `port`: new connections are refused again; old ones go on.
  connect = 3,  ///< `id`, `port`: open guest port `port` within `timeout_ms`.
  abandon = 4,  ///< `id`: nobody waits for this connect any more.

  // From the device.
  opened = 64,    ///< `port`: the guest opened this host port; with the connected descriptor.
  connected = 65, ///< `id`: the guest accepted; with the connected descriptor.
  refused = 66,   ///< `id`, `error`: why there is none: an errno value.
};

/// `error` of `refused`: ECONNREFUSED: nobody listens there; ETIMEDOUT: no answer within the bound,
/// as before the guest's driver is up; EMFILE: the VM has its most connections; ENETDOWN: the guest
/// resets.
struct channel_message {
  message_kind kind = message_kind::listen;
  std::uint32_t id = 0;        ///< Chosen by the service, not 0; pairs an answer with its question.
  std::uint32_t port = 0;      ///< See the kind.
  std::uint32_t peer_port = 0; ///< Of `opened` and `connected`: the guest's port.
  std::uint32_t timeout_ms = 0; ///< Of `connect`: 1 to 3,600,000.
  std::int32_t error = 0;       ///< Of `refused`.
};
static_assert(sizeof(channel_message) == 24);

/// The descriptor that goes with `opened` and `connected` is one end of an AF_UNIX SOCK_STREAM
/// pair, non-blocking, close-on-exec. shutdown(2) on it is passed on to the guest and the other way
/// round; a reset by the guest is an end of file, then EPIPE.

/// The highest port that a guest can have; 0xFFFFFFFF is VMADDR_PORT_ANY.
inline constexpr std::uint32_t max_port = 0xFFFFFFFE;

} // namespace crosvisor::io::vsock
