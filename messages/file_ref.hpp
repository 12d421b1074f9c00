// SPDX-License-Identifier: Apache-2.0
// How a request names a file. Knows no CAF type.
#pragma once

#include <cstdint>
#include <string>

namespace crosvisor {

/// A file of the client's. Files cross as descriptors: `index` counts into the descriptors that
/// travel with the request, `path` is what the client calls the file, for people to read, and is
/// never opened by the service. An empty path means "no file".
struct file_ref {
  std::string path;
  std::uint32_t index = 0;

  explicit operator bool() const noexcept { return !path.empty(); }
};

template <class Inspector>
auto inspect(Inspector& f, file_ref& x) {
  return f(x.path, x.index);
}

} // namespace crosvisor
