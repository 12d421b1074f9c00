// SPDX-License-Identifier: Apache-2.0
// The connection over which somebody reads a payload's output.
#pragma once

#include "crosvisor/io/result.hpp"
#include "crosvisor/io/unique_fd.hpp"

namespace crosvisor::io {

struct output_sockets {
  unique_fd reader; ///< Blocking, close-on-exec; can't write.
  unique_fd writer;
};

/// What the reader has in its socket is out of the window, so that a reader that stops and goes on
/// stalls nobody for long.
result<output_sockets> make_output_sockets();

} // namespace crosvisor::io
