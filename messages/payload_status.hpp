// SPDX-License-Identifier: Apache-2.0
// What a guest says of its payload on its status channel. Knows no CAF type.
#pragma once

#include "crosvisor/messages/fwd.hpp"

#include <chrono>
#include <cstdint>
#include <string>

namespace crosvisor {

/// The host's port that a payload writes its output to; the seed's.
inline constexpr std::uint32_t payload_output_port = 3000;
/// The host's port of the status channel; see docs/guest-protocol.md.
inline constexpr std::uint32_t payload_status_port = 5000;
/// Guest ports below this one need a right of their own.
inline constexpr std::uint32_t first_unprivileged_port = 1024;

enum class payload_status_kind : std::uint8_t {
  started,  ///< The payload is about to run.
  ready,    ///< It serves.
  finished, ///< It has ended, with `exit_code`.
  error,    ///< It can't be run, or failed: `error` and `message`.
};

/// The values are those of Android's ErrorCode.aidl.
enum class payload_error : std::uint8_t {
  unknown = 0,
  payload_verification_failed = 1,
  payload_changed = 2,
  payload_invalid_config = 3,
};

/// One line of the status channel.
struct payload_status {
  payload_status_kind kind = payload_status_kind::started;
  std::int32_t exit_code = 0;
  payload_error error = payload_error::unknown;
  /// The guest's own words, printable, at most max_status_message_bytes.
  std::string message;
};

inline constexpr std::size_t max_status_line_bytes = 4096;
inline constexpr std::size_t max_status_message_bytes = 1024;

/// What is known of a payload.
struct payload_info {
  /// It writes output, or the guest said that it runs.
  bool started = false;
  bool finished = false;
  /// Meaningful when it has finished; the guest's word, any value.
  std::int32_t exit_code = 0;
  /// The guest said that it can't be run, or failed: `error` says how.
  bool failed = false;
  payload_error error = payload_error::unknown;
};

/// A piece of a payload's output.
struct output_chunk {
  /// Where it begins, in bytes since the payload's first.
  std::uint64_t offset = 0;
  std::string bytes;
  /// How many bytes between the piece before and this one are lost: output that nobody read in
  /// time is kept up to a bound.
  std::uint64_t missed = 0;
  /// Nothing follows, ever.
  bool last = false;
};

/// Stable snake_case names.
std::string to_string(payload_status_kind kind);
std::string to_string(payload_error error);

template <class Inspector>
auto inspect(Inspector& f, payload_status& x) {
  return f(x.kind, x.exit_code, x.error, x.message);
}

template <class Inspector>
auto inspect(Inspector& f, payload_info& x) {
  return f(x.started, x.finished, x.exit_code, x.failed, x.error);
}

template <class Inspector>
auto inspect(Inspector& f, output_chunk& x) {
  return f(x.offset, x.bytes, x.missed, x.last);
}

} // namespace crosvisor
