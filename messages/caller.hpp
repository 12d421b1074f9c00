// SPDX-License-Identifier: Apache-2.0
// Who sends a request, as the transport knows it and never as a message claims. Knows no CAF type.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace crosvisor {

/// How it is known who somebody is.
enum class caller_kind : std::uint8_t {
  process,     ///< It is in the service's own process.
  socket,      ///< The kernel's word for the other end of a Unix socket.
  certificate, ///< A certificate of the private CA's.
};

/// Whoever sends a request, or owns a VM.
struct caller {
  caller_kind kind = caller_kind::process;
  /// Of a process or socket: its effective user and group (SO_PEERCRED in unix(7)).
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  /// Of a socket: its supplementary groups (SO_PEERGROUPS).
  std::vector<std::uint32_t> groups = {};
  /// Of a process or socket: its process id in the service's namespace; 0 where it has none there.
  std::int32_t pid = 0;
  /// Of a socket: its security label (SO_PEERSEC); empty without a security module.
  std::string label = {};
  /// Of a certificate: its subject as RFC 2253 writes it, `CN=alice,O=Example`.
  std::string subject = {};
};

/// Whether both are the same user or the same certificate's subject; that is what owns VMs.
bool same_principal(const caller& a, const caller& b) noexcept;

/// `uid 1000` or `subject "CN=alice"`, for people.
std::string to_string(const caller& who);

/// Stable name.
std::string to_string(caller_kind kind);

template <class Inspector>
auto inspect(Inspector& f, caller& x) {
  return f(x.kind, x.uid, x.gid, x.groups, x.pid, x.label, x.subject);
}

} // namespace crosvisor
