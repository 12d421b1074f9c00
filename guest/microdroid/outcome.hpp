// SPDX-License-Identifier: Apache-2.0
// What became of a step: well, or why there will be no payload.
#pragma once

namespace crosvisor::guest {

/// Why there will be no payload: the numbers are those of the status "error" in
/// docs/guest-protocol.md.
enum class cause : signed char {
  none = -1,
  unknown = 0,
  verification_failed = 1,
  changed = 2,
  invalid_config = 3,
};

struct outcome {
  cause why = cause::none;
  char message[512] = ""; ///< One sentence, for people. Cut where it is too long.

  bool good() const { return why == cause::none; }
};

/// With what printf makes of the rest.
[[gnu::format(printf, 2, 3)]] outcome wrong(cause why, const char* format, ...);

/// The same, with errno's text behind it.
[[gnu::format(printf, 2, 3)]] outcome wrong_by_errno(cause why, const char* format, ...);

} // namespace crosvisor::guest
