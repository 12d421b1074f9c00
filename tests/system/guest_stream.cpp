// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/tests/system/guest_stream.hpp"

#include "crosvisor/guest/vsock/pattern.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <vector>

namespace crosvisor::tests {

namespace {

constexpr std::size_t piece_bytes = 64u << 10;

const guest::pattern& the_pattern() {
  static const guest::pattern pattern;
  return pattern;
}

std::string_view pattern_at(std::uint64_t offset, std::uint64_t most) {
  auto bytes = the_pattern().at(offset);
  auto count = std::min<std::uint64_t>(most, bytes.size());
  return {reinterpret_cast<const char*>(bytes.data()), count};
}

} // namespace

bool guest_stream::wait(short events, std::chrono::milliseconds bound) const {
  pollfd ready{socket_->get(), events, 0};
  return ::poll(&ready, 1, static_cast<int>(bound.count())) == 1;
}

bool guest_stream::send(std::string_view bytes) {
  while (!bytes.empty()) {
    auto sent = ::send(socket_->get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && (errno != EAGAIN || !wait(POLLOUT, stream_bound)))
      return false;
    if (sent > 0)
      bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

bool guest_stream::send_pattern(std::uint64_t count) {
  for (std::uint64_t done = 0; done < count;) {
    auto piece = pattern_at(done, std::min<std::uint64_t>(count - done, piece_bytes));
    if (!send(piece))
      return false;
    done += piece.size();
  }
  return true;
}

std::uint64_t guest_stream::send_until_full() {
  std::uint64_t done = 0;
  for (;;) {
    auto piece = pattern_at(done, piece_bytes);
    auto sent = ::send(socket_->get(), piece.data(), piece.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0)
      done += static_cast<std::uint64_t>(sent);
    else if (errno != EAGAIN || !wait(POLLOUT, std::chrono::milliseconds{300}))
      return done;
  }
}

void guest_stream::half_close() {
  ::shutdown(socket_->get(), SHUT_WR);
}

long guest_stream::read(char* to, std::size_t count) {
  if (!wait(POLLIN, stream_bound))
    return -1;
  return ::read(socket_->get(), to, count);
}

std::string guest_stream::receive(std::size_t count) {
  std::string all(count, '\0');
  std::size_t have = 0;
  while (have < count) {
    auto got = read(all.data() + have, count - have);
    if (got <= 0)
      break;
    have += static_cast<std::size_t>(got);
  }
  all.resize(have);
  return all;
}

std::string guest_stream::receive_all() {
  std::string all;
  std::vector<char> buffer(piece_bytes);
  for (long got = 0; (got = read(buffer.data(), buffer.size())) > 0;)
    all.append(buffer.data(), static_cast<std::size_t>(got));
  return all;
}

std::uint64_t guest_stream::receive_pattern() {
  std::uint64_t done = 0;
  std::vector<char> buffer(piece_bytes);
  for (long got = 0; (got = read(buffer.data(), buffer.size())) > 0;) {
    auto count = static_cast<std::size_t>(got);
    if (pattern_at(done, count) != std::string_view{buffer.data(), count})
      break;
    done += count;
  }
  return done;
}

std::uint64_t guest_stream::discard(std::uint64_t count) {
  std::uint64_t done = 0;
  std::vector<char> buffer(4 * piece_bytes);
  while (done < count) {
    auto got = read(buffer.data(), std::min<std::uint64_t>(buffer.size(), count - done));
    if (got <= 0)
      break;
    done += static_cast<std::uint64_t>(got);
  }
  return done;
}

bool guest_stream::ends_within(std::chrono::milliseconds bound) {
  auto deadline = std::chrono::steady_clock::now() + bound;
  std::vector<char> buffer(piece_bytes);
  for (;;) {
    auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
      deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0 || !wait(POLLIN, left))
      return false;
    if (::read(socket_->get(), buffer.data(), buffer.size()) <= 0)
      return true;
  }
}

std::string pattern_receipt(std::uint64_t count) {
  guest::checksum sum;
  for (std::uint64_t done = 0; done < count;) {
    auto piece = pattern_at(done, count - done);
    sum.add(piece.data(), piece.size());
    done += piece.size();
  }
  char line[64];
  std::snprintf(line, sizeof(line), "%llu %016llx\n", static_cast<unsigned long long>(count),
                static_cast<unsigned long long>(sum.value()));
  return line;
}

} // namespace crosvisor::tests
