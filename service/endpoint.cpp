// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/endpoint.hpp"

#include "crosvisor/io/config/printable.hpp"

#include <sys/un.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>

namespace crosvisor {

namespace {

constexpr std::string_view unix_scheme = "unix:";
constexpr std::string_view tls_scheme = "tls://";
constexpr std::string_view descriptor_suffix = ".fds";
/// What a name of the domain name system has at most (RFC 1035).
constexpr std::size_t max_host_bytes = 253;

io::failure no_endpoint(const std::string& text, const std::string& why) {
  return {0, io::in_quotes(text) + ' ' + why
               + "; allowed are unix:PATH, tls://HOST[:PORT] and embedded:"};
}

io::result<endpoint> unix_endpoint(const std::string& text) {
  // With the terminating NUL; the descriptors' socket has the longer name.
  constexpr auto most = sizeof(sockaddr_un::sun_path) - 1 - descriptor_suffix.size();
  auto path = text.substr(unix_scheme.size());
  if (path.empty() || path.front() != '/' || path.back() == '/')
    return no_endpoint(text, "has no absolute path of a socket");
  if (path.size() > most || path.find('\0') != std::string::npos)
    return no_endpoint(text, "has a path that no socket can have: at most " + std::to_string(most)
                               + " bytes");
  return endpoint{endpoint_kind::unix_socket, path, "", 0};
}

bool is_host(std::string_view host, bool in_brackets) {
  auto fits = [=](unsigned char c) {
    bool digit = c >= '0' && c <= '9';
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    return digit || letter || c == '.' || c == '-' || (in_brackets && (c == ':' || c == '%'));
  };
  return !host.empty() && host.size() <= max_host_bytes && host.front() != '-'
         && std::all_of(host.begin(), host.end(), fits);
}

/// Nothing where it is no port.
std::optional<std::uint16_t> parse_port(std::string_view digits) {
  std::uint16_t port = 0;
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc{} || end != digits.data() + digits.size() || port == 0)
    return std::nullopt;
  return port;
}

io::result<endpoint> tls_endpoint(const std::string& text) {
  auto rest = std::string_view{text}.substr(tls_scheme.size());
  auto in_brackets = rest.starts_with('[');
  auto end = in_brackets ? rest.find(']') : rest.find(':');
  auto host = rest.substr(in_brackets ? 1 : 0, end - (in_brackets ? 1 : 0));
  if (!is_host(host, in_brackets) || (in_brackets && end == std::string_view::npos))
    return no_endpoint(text, "has no host, which is a name, an IPv4 address or [an IPv6 address]");
  auto after = end == std::string_view::npos ? std::string_view{} : rest.substr(end);
  if (in_brackets)
    after.remove_prefix(1);
  if (after.empty())
    return endpoint{endpoint_kind::tls, "", std::string{host}, default_tls_port};
  auto port = after.front() == ':' ? parse_port(after.substr(1)) : std::nullopt;
  if (!port)
    return no_endpoint(text, "has no port of 1 to 65535 after its host");
  return endpoint{endpoint_kind::tls, "", std::string{host}, *port};
}

} // namespace

io::result<endpoint> parse_endpoint(const std::string& text) {
  if (text == "embedded:")
    return endpoint{};
  if (text.starts_with(unix_scheme))
    return unix_endpoint(text);
  if (text.starts_with(tls_scheme))
    return tls_endpoint(text);
  return no_endpoint(text, "says no way to a service");
}

std::string to_string(const endpoint& where) {
  switch (where.kind) {
    case endpoint_kind::embedded: return "embedded:";
    case endpoint_kind::unix_socket: return std::string{unix_scheme} + where.path;
    case endpoint_kind::tls: break;
  }
  auto has_colons = where.host.find(':') != std::string::npos;
  auto host = has_colons ? '[' + where.host + ']' : where.host;
  return std::string{tls_scheme} + host + ':' + std::to_string(where.port);
}

std::string descriptor_socket_of(const std::string& daemon_socket) {
  return daemon_socket + std::string{descriptor_suffix};
}

} // namespace crosvisor
