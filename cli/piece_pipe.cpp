// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/piece_pipe.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace crosvisor::cli {

namespace {

/// What every user may have (/proc/sys/fs/pipe-max-size in pipe(7)).
constexpr int wanted_pipe_bytes = 1 << 20;

} // namespace

io::result<piece_pipe> piece_pipe::make() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    return io::last_failure("pipe");
  io::unique_fd reader{ends[0]}, writer{ends[1]};
  ::fcntl(writer.get(), F_SETPIPE_SZ, wanted_pipe_bytes); // Without it, it is slower.
  auto size = ::fcntl(writer.get(), F_GETPIPE_SZ);
  if (size <= 0 || ::fcntl(writer.get(), F_SETFL, O_NONBLOCK) != 0)
    return io::last_failure("pipe");
  // The kernel counts pages, of which the first and the last may be full in part.
  return piece_pipe{std::move(reader), std::move(writer), static_cast<std::uint64_t>(size) / 2};
}

std::string piece_pipe::put(const output_chunk& piece) {
  if (!writer_)
    return "";
  if (!piece.bytes.empty()) {
    auto n = ::write(writer_.get(), piece.bytes.data(), piece.bytes.size());
    if (n < 0 && errno == EPIPE) {
      writer_.reset(); // Whoever reads it has said so.
      return "";
    }
    if (n != static_cast<ssize_t>(piece.bytes.size())) {
      writer_.reset();
      return "the service sent more of the payload's output than was asked for; the rest is "
             "dropped";
    }
  }
  if (piece.last)
    writer_.reset();
  return piece.missed == 0
           ? ""
           : std::to_string(piece.missed) + " bytes of the payload's output were lost";
}

} // namespace crosvisor::cli
