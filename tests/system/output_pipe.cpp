// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/tests/system/output_pipe.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <stdexcept>

namespace crosvisor::tests {

namespace {

using clock = std::chrono::steady_clock;

std::chrono::milliseconds left_until(clock::time_point deadline) {
  auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - clock::now());
  return std::max(left, std::chrono::milliseconds{0});
}

} // namespace

output_pipe::output_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0)
    throw std::runtime_error("pipe2");
  reader_.reset(ends[0]);
  writer_.reset(ends[1]);
}

void output_pipe::make_small() {
  ::fcntl(reader_.get(), F_SETPIPE_SZ, 1);
}

output_pipe::outcome output_pipe::read_some(milliseconds bound) {
  pollfd ready{reader_.get(), POLLIN, 0};
  if (::poll(&ready, 1, static_cast<int>(bound.count())) <= 0)
    return outcome::silence;
  std::array<char, 4096> chunk{};
  auto n = ::read(reader_.get(), chunk.data(), chunk.size());
  if (n <= 0)
    return outcome::end;
  text_.append(chunk.data(), static_cast<std::size_t>(n));
  return outcome::bytes;
}

bool output_pipe::wait_for(const std::string& text, milliseconds bound) {
  auto deadline = clock::now() + bound;
  while (text_.find(text) == text_.npos)
    if (read_some(left_until(deadline)) != outcome::bytes)
      return false;
  return true;
}

bool output_pipe::wait_for_silence(milliseconds quiet, milliseconds bound) {
  auto deadline = clock::now() + bound;
  while (clock::now() < deadline)
    if (read_some(quiet) != outcome::bytes)
      return true;
  return false;
}

bool output_pipe::wait_for_end(milliseconds bound) {
  auto deadline = clock::now() + bound;
  for (;;)
    if (auto how = read_some(left_until(deadline)); how != outcome::bytes)
      return how == outcome::end;
}

} // namespace crosvisor::tests
