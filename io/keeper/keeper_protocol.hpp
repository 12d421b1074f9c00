// SPDX-License-Identifier: Apache-2.0
// What a keeper and the service that is there now say to each other.
//
// AF_UNIX, SOCK_SEQPACKET, at keeper_launch::socket_path. A packet is one JSON object, then, in a
// `chunk`, a NUL and the bytes themselves; at most max_keeper_packet_bytes, with at most 32
// descriptors (SCM_RIGHTS). `type` says which packet it is. A reader leaves keys and types that it
// doesn't know, so that a service understands the keepers of the version before; what isn't an
// object ends the connection. A keeper has one service at a time: it takes the next connection when
// the one before has ended, and takes it from its own user alone (SO_PEERCRED), as the service does
// with keepers.
//
// A keeper that can't begin says launch_failed, without a hello, and ends.
//
// A keeper's first packet on every connection:
//   hello    version, boot_id, cid, pid (the keeper's), launched_ms, notes {key: value}; with the
//            descriptor of its launch's text (a sealed memory file) and, where the VM has one, its
//            claimed /dev/vhost-vsock. Then everything that happened so far, in order, as if it
//            happened now: step, launch_failed, up, fault, exit, status, bad_status, connection.
//   synced   that was it; what follows happens.
//
// From the service:                                          the answer
//   ask            id, what (vmm_request)                    answer
//   get_balloon    id                                        answer: size_bytes, memory_bytes
//   set_balloon    id, size_bytes                            answer
//   connect        id, port, bound_ms                        answer, with the connected socket
//   signal         number (SIGTERM, SIGKILL)
//   note           key, value; empty: removed
//   get_origin     id, first (0: the first of the files)     answer: files (how many there are);
//                                                            with the descriptors from that one on,
//                                                            at most 32. Configuration and choice
//                                                            are in the launch's text.
//   take_output    connection (a number that the keeper gave), or none and the socket itself
//   take_status    the same
//   let_go         connection: nobody wants it
//   open_output    with the writing end of what the reader has
//   add_reader     reader; its number is the service's, and good on this connection
//   grant          reader, bytes
//   remove_reader  reader
//   finish         id                                        answer
//   release        id: the VM is dead, and known to be; its  answer: its CID is free, also in the
//                  directory goes                            kernel; then the keeper ends, when its
//                                                            output was read or nobody reads it
//
// From the keeper:
//   answer         id, code (errno, or 0 where the host isn't at fault), what (empty: done), and
//                  what the request asked for
//   step           name, begin_us, end_us (vm_step): before `up`
//   up             pid
//   launch_failed  failure (launch_failure), what
//   fault          what
//   exit           kind, value, reason, detail (vmm_exit)
//   status         kind, exit_code, error, message (payload_status)
//   bad_status     what
//   connection     connection (a number), port; with the guest's connection. The keeper has a copy
//                  of it, and tells of it anew on the next connection, until the service takes it
//                  or lets it go: what a service had when it was killed is not lost. `read`: the
//                  keeper reads it already, as it was taken or no service was there; one for each
//                  port, without a descriptor.
//   chunk          reader, offset, missed, last; and the bytes
#pragma once

#include <cstddef>
#include <cstdint>

namespace crosvisor::io {

/// Grows when a reader of the version before would do something wrong.
inline constexpr int keeper_protocol_version = 1;
/// The oldest keeper that this version's service understands.
inline constexpr int oldest_keeper_version = 1;

inline constexpr std::size_t max_keeper_packet_bytes = 128u << 10;

} // namespace crosvisor::io
