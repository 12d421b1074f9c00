// SPDX-License-Identifier: Apache-2.0
// What clients outside of the process say to the door besides what everybody says. Knows no CAF
// type.
#pragma once

#include "crosvisor/messages/fwd.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace crosvisor {

/// What stands for a descriptor in a message: 32 lower-case hexadecimal digits, 128 random bits.
/// Good once, for whom it was made, and not for long; see io/tickets/ticket_store.hpp.
using ticket = std::string;

inline constexpr std::size_t ticket_digits = 32;

/// The descriptors of a request, in the order that its file_refs count them. Instead of a ticket
/// there may be `image:NAME` (stored_image.hpp): the sender's stored image of that name.
struct ticket_list {
  std::vector<ticket> tickets;
};

/// Which of a VM's kept logs.
enum class log_kind : std::uint8_t {
  console, ///< What the guest wrote to its first serial port.
  log,     ///< The same of its log port.
  vmm,     ///< The VMM's own words.
};

/// Where in a kept log a reader is; all zero: at its beginning. Opaque to clients.
struct log_position {
  std::uint64_t file = 0;   ///< Which file is being read, by inode and birth; 0: the oldest.
  std::uint64_t offset = 0; ///< Bytes of that file that were read.
};

inline constexpr std::uint32_t max_log_piece_bytes = 256u << 10;

/// A piece of a kept log, to be read.
struct log_query {
  /// A CID or a name; of a name the newest VM that has or had it.
  std::string vm;
  log_kind log = log_kind::console;
  log_position position;
  /// Instead of reading: where the end is now.
  bool from_end = false;
};

struct log_piece {
  /// Its VM.
  vm_cid cid = no_cid;
  vm_name name;
  /// At most max_log_piece_bytes; empty: there is no more now.
  std::string bytes;
  /// Where to go on.
  log_position next;
  /// More may come: the VM lives.
  bool living = false;
  /// What came between was rotated away before it was read.
  bool gap = false;
};

/// Stable names, as command lines spell them.
std::string to_string(log_kind kind);

template <class Inspector>
auto inspect(Inspector& f, ticket_list& x) {
  return f(x.tickets);
}

template <class Inspector>
auto inspect(Inspector& f, log_position& x) {
  return f(x.file, x.offset);
}

template <class Inspector>
auto inspect(Inspector& f, log_query& x) {
  return f(x.vm, x.log, x.position, x.from_end);
}

template <class Inspector>
auto inspect(Inspector& f, log_piece& x) {
  return f(x.cid, x.name, x.bytes, x.next, x.living, x.gap);
}

} // namespace crosvisor
