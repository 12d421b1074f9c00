// SPDX-License-Identifier: Apache-2.0
// Where a service is reached.
#pragma once

#include "crosvisor/io/result.hpp"

#include <cstdint>
#include <string>

namespace crosvisor {

enum class endpoint_kind : std::uint8_t {
  embedded,    ///< `embedded:`: in this process.
  unix_socket, ///< `unix:PATH`
  tls,         ///< `tls://HOST:PORT`
};

struct endpoint {
  endpoint_kind kind = endpoint_kind::embedded;
  std::string path; ///< Of a socket; absolute.
  std::string host; ///< A name, an IPv4 address, or an IPv6 address without its brackets.
  std::uint16_t port = 0;
};

/// The port of `tls://HOST`.
inline constexpr std::uint16_t default_tls_port = 7443;

/// The sentence of a failure says what is allowed.
io::result<endpoint> parse_endpoint(const std::string& text);

std::string to_string(const endpoint& where);

/// The descriptor door's socket beside a daemon's.
std::string descriptor_socket_of(const std::string& daemon_socket);

} // namespace crosvisor
