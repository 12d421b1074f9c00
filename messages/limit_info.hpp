// SPDX-License-Identifier: Apache-2.0
// What there is of something that is bounded. Knows no CAF type.
#pragma once

#include <cstdint>
#include <string>

namespace crosvisor {

/// One bound of a service's. Of one that holds for each user, each VM or each listener, what is in
/// use is what whoever has most has.
struct limit_info {
  std::string name; ///< Stable, in snake_case, such as `vms_per_user`.
  std::string key;  ///< Of the daemon's configuration, such as `limits.vms_per_user`.
  std::uint64_t used = 0;
  std::uint64_t limit = 0;
  /// How often it was reached since the service began: a request was refused, or, of what is kept,
  /// the oldest made room.
  std::uint64_t refused = 0;
};

template <class Inspector>
auto inspect(Inspector& f, limit_info& x) {
  return f(x.name, x.key, x.used, x.limit, x.refused);
}

} // namespace crosvisor
