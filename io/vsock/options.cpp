// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/vsock/options.hpp"

#include <sys/socket.h>

#include <charconv>
#include <climits>
#include <optional>
#include <string>
#include <string_view>

namespace crosvisor::io::vsock {

namespace {

constexpr std::uint64_t first_guest_cid = 3;
constexpr std::uint64_t last_guest_cid = 0xFFFFFFFE;

failure bad(std::string_view option, const char* what) {
  return {0, std::string{option} + ": " + what};
}

// Decimal digits alone; nothing where it is none or not within the bounds.
std::optional<std::uint64_t> number(std::string_view text, std::uint64_t least,
                                    std::uint64_t most) {
  std::uint64_t value = 0;
  auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc{} || end != text.data() + text.size() || value < least || value > most)
    return std::nullopt;
  return value;
}

int socket_option(int fd, int name) {
  int value = -1;
  socklen_t size = sizeof(value);
  return ::getsockopt(fd, SOL_SOCKET, name, &value, &size) == 0 ? value : -1;
}

result<void> check_socket(std::string_view option, int fd, int type, const char* what) {
  if (socket_option(fd, SO_DOMAIN) != AF_UNIX || socket_option(fd, SO_TYPE) != type
      || socket_option(fd, SO_ACCEPTCONN) != 0)
    return bad(option, what);
  return {};
}

} // namespace

result<device_options> parse_options(std::span<const char* const> arguments) {
  std::optional<std::uint64_t> cid, vmm, service;
  for (std::size_t i = 0; i < arguments.size(); i += 2) {
    std::string_view name = arguments[i];
    auto* place = name == "--cid"          ? &cid
                  : name == "--vmm-fd"     ? &vmm
                  : name == "--service-fd" ? &service
                                           : nullptr;
    if (place == nullptr)
      return failure{0, "unknown option; known are --cid N --vmm-fd N --service-fd N"};
    if (*place)
      return bad(name, "given twice");
    if (i + 1 == arguments.size())
      return bad(name, "needs a number");
    *place = place == &cid ? number(arguments[i + 1], first_guest_cid, last_guest_cid)
                           : number(arguments[i + 1], 3, INT_MAX);
    if (!*place)
      return bad(name, place == &cid ? "must be 3 to 4294967294" : "must be a descriptor above 2");
  }
  if (!cid || !vmm || !service)
    return failure{0, "needs --cid N --vmm-fd N --service-fd N"};
  return device_options{static_cast<std::uint32_t>(*cid), static_cast<int>(*vmm),
                        static_cast<int>(*service)};
}

result<void> check_sockets(const device_options& options) {
  if (options.vmm_fd == options.service_fd)
    return failure{0, "--vmm-fd and --service-fd: must be two"};
  if (auto checked = check_socket("--vmm-fd", options.vmm_fd, SOCK_STREAM,
                                  "must be a connected AF_UNIX SOCK_STREAM socket");
      !checked)
    return checked;
  return check_socket("--service-fd", options.service_fd, SOCK_SEQPACKET,
                      "must be a connected AF_UNIX SOCK_SEQPACKET socket");
}

} // namespace crosvisor::io::vsock
