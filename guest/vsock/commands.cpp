// SPDX-License-Identifier: Apache-2.0
#include "commands.hpp"

#include "number.hpp"
#include "server.hpp"
#include "socket.hpp"
#include "status_line.hpp"
#include "stream.hpp"

#include <sys/socket.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include <fcntl.h>
#include <poll.h>
#include <termios.h>
#include <unistd.h>

namespace crosvisor::guest {

namespace {

constexpr std::uint32_t output_port = 3000;
constexpr std::uint32_t status_port = 5000;
constexpr auto failure_port = "/dev/ttyS1";

number parse_port(const char* text) {
  auto port = parse_number(text);
  return {port.value, port.valid && port.value < UINT32_MAX};
}

/// Ends a connection on which all went well so far. @returns the exit code.
int finish(int host) {
  return close_and_wait(host) ? 0 : failed("the host has not taken all");
}

// -- flood --------------------------------------------------------------------

pollfd connecting[most_descriptors];

struct tally {
  int made = 0;
  int reset = 0;
};

/// Counts what became of `count` connections, and keeps those that are made.
tally count_connections(int count) {
  tally found;
  for (auto undecided = count; undecided > 0;) {
    if (::poll(connecting, static_cast<nfds_t>(count), closing_bound) <= 0)
      break;
    for (auto i = 0; i < count; ++i) {
      if (connecting[i].fd < 0 || connecting[i].revents == 0)
        continue;
      int error = 0;
      socklen_t size = sizeof error;
      ::getsockopt(connecting[i].fd, SOL_SOCKET, SO_ERROR, &error, &size);
      found.made += error == 0 ? 1 : 0;
      found.reset += error == ECONNRESET ? 1 : 0;
      connecting[i].fd = -1;
      --undecided;
    }
  }
  return found;
}

// -- fail ---------------------------------------------------------------------

/// A serial port that sends what it is given and changes nothing in it.
int open_failure_port() {
  auto fd = ::open(failure_port, O_WRONLY | O_NOCTTY | O_CLOEXEC);
  termios settings;
  if (fd >= 0 && ::tcgetattr(fd, &settings) == 0) {
    ::cfmakeraw(&settings);
    ::tcsetattr(fd, TCSANOW, &settings);
  }
  return fd;
}

} // namespace

int failed(const char* what) {
  ::dprintf(STDERR_FILENO, "vsock: %s: %s\n", what, std::strerror(errno));
  return 1;
}

int output_command(arguments given) {
  auto [words, count] = given;
  number port{output_port, true};
  if (count >= 2 && std::strcmp(words[0], "--port") == 0) {
    port = parse_port(words[1]);
    words += 2;
    count -= 2;
  }
  auto runs = count >= 2 && std::strcmp(words[0], "--") == 0;
  if (!port.valid || (count > 0 && !runs))
    return usage_error;
  auto host = connect_to_host(static_cast<std::uint32_t>(port.value));
  if (host < 0)
    failed("the output stays here, since the host takes none");
  auto to = host < 0 ? STDOUT_FILENO : host;
  auto code = runs                     ? run_program(words + 1, host)
              : copy(STDIN_FILENO, to) ? 0
                                       : failed("the output is cut short");
  if (host >= 0)
    finish(host);
  return code;
}

int status_command(arguments given) {
  // Nothing of it is sent when a part of it is wrong.
  for (auto at = 0; at < given.count;) {
    auto words = parse_status(given.words + at, given.count - at).words;
    if (words == 0)
      return usage_error;
    at += words;
  }
  if (given.count == 0)
    return usage_error;
  auto host = connect_to_host(status_port);
  if (host < 0)
    return failed("the host takes no status");
  for (auto at = 0; at < given.count;) {
    auto status = parse_status(given.words + at, given.count - at);
    auto line = status.line.finish();
    if (!write_all(host, line.data(), line.size()))
      return failed("the status is cut short");
    at += status.words;
  }
  return finish(host);
}

int fail_command(arguments given) {
  if (given.count < 1 || given.count > 2)
    return usage_error;
  auto port = open_failure_port();
  auto* reason = given.words[0];
  auto* detail = given.count > 1 ? given.words[1] : "";
  auto said = port >= 0 && write_all(port, reason, std::strlen(reason))
              && (*detail == '\0'
                  || (write_all(port, "|", 1) && write_all(port, detail, std::strlen(detail))))
              && ::tcdrain(port) == 0;
  return said ? 0 : failed(failure_port);
}

int send_command(arguments given) {
  if (given.count != 2)
    return usage_error;
  auto port = parse_port(given.words[0]);
  auto bytes = parse_number(given.words[1]);
  if (!port.valid || !bytes.valid)
    return usage_error;
  auto host = connect_to_host(static_cast<std::uint32_t>(port.value));
  if (host < 0)
    return failed("nothing is sent");
  return send_pattern(host, bytes.value) ? finish(host) : failed("what is sent is cut short");
}

int flood_command(arguments given) {
  if (given.count != 2)
    return usage_error;
  auto port = parse_port(given.words[0]);
  auto count = parse_number(given.words[1]);
  if (!port.valid || !count.valid || count.value > std::size(connecting))
    return usage_error;
  raise_descriptor_limit();
  auto begun = 0;
  for (std::uint64_t i = 0; i < count.value; ++i) {
    if (auto fd = begin_connecting(static_cast<std::uint32_t>(port.value)); fd >= 0)
      connecting[begun++] = {fd, POLLOUT, 0};
  }
  auto found = count_connections(begun);
  ::dprintf(STDOUT_FILENO, "vsock: %d of %d connections made, %d reset\n", found.made,
            static_cast<int>(count.value), found.reset);
  return 0;
}

int serve_command(arguments given, bool background) {
  static server ports;
  if (given.count == 0 || given.count % 2 != 0)
    return usage_error;
  raise_descriptor_limit();
  for (auto at = 0; at < given.count; at += 2) {
    auto what = parse_role(given.words[at]);
    auto port = parse_port(given.words[at + 1]);
    if (what == role::none || !port.valid)
      return usage_error;
    if (!ports.listen(what, static_cast<std::uint32_t>(port.value)))
      return failed(given.words[at + 1]);
  }
  if (auto child = background ? ::fork() : 0; child != 0)
    return child > 0 ? 0 : failed("fork");
  ports.run();
  return failed("epoll");
}

} // namespace crosvisor::guest
