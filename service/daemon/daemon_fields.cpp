// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/daemon/daemon_fields.hpp"

#include "crosvisor/io/accounts.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <charconv>
#include <limits>

namespace crosvisor {

namespace {

using io::check;
using io::config_problem;
using io::json_kind;
using io::json_value;

/// The largest is -1, "none": chown(2).
constexpr auto last_id = std::numeric_limits<std::uint32_t>::max() - 1;

constexpr std::size_t max_name_bytes = 256;
constexpr std::size_t max_subject_bytes = 1024;

/// Each item of a list by `read`.
template <class Read>
check read_list(const json_value& value, const std::string& path, Read read) {
  if (value.kind != json_kind::array)
    return io::unexpected_value(value, path, "an array");
  for (std::size_t i = 0; i < value.items.size(); ++i)
    if (auto problem = read(value.items[i], path + '[' + std::to_string(i) + ']'))
      return problem;
  return std::nullopt;
}

check read_short_text(const json_value& value, const std::string& path, const char* what,
                      std::size_t most) {
  if (value.kind != json_kind::string || value.text.empty())
    return io::unexpected_value(value, path, what);
  if (value.text.size() > most)
    return config_problem{value.offset, path + ": a text of " + std::to_string(value.text.size())
                                          + " bytes; at most " + std::to_string(most)
                                          + " are allowed"};
  return std::nullopt;
}

/// A name that `find` knows the number of.
template <class Find>
check read_name(const json_value& value, const std::string& path, const char* what, Find find,
                std::uint32_t& target) {
  if (auto problem = read_short_text(value, path, what, max_name_bytes))
    return problem;
  auto found = find(value.text);
  if (!found)
    return config_problem{value.offset, path + ": " + found.why().what};
  target = *found;
  return std::nullopt;
}

template <class Find>
check read_name_or_id(const json_value& value, const std::string& path, const char* what, Find find,
                      std::optional<std::uint32_t>& target) {
  std::uint32_t id = 0;
  auto problem = value.kind == json_kind::whole ? io::read_whole(value, path, 0, last_id, id)
                                                : read_name(value, path, what, find, id);
  if (!problem)
    target = id;
  return problem;
}

template <class Find>
check read_names(const json_value& value, const std::string& path, const char* what, Find find,
                 std::vector<std::uint32_t>& target) {
  return read_list(value, path, [&](const json_value& item, const std::string& item_path) {
    return read_name(item, item_path, what, find, target.emplace_back());
  });
}

/// The port behind the last colon, 1 to 65535.
std::optional<std::uint16_t> port_of(const std::string& text) {
  std::uint16_t port = 0;
  const auto* end = text.data() + text.size();
  auto [stop, error] = std::from_chars(text.data(), end, port);
  if (error != std::errc{} || stop != end || port == 0)
    return std::nullopt;
  return port;
}

/// An address without its port, which for IPv6 is in brackets.
std::optional<std::string> address_of(const std::string& text) {
  in_addr v4{};
  in6_addr v6{};
  if (::inet_pton(AF_INET, text.c_str(), &v4) == 1)
    return text;
  if (!text.starts_with('[') || !text.ends_with(']'))
    return std::nullopt;
  auto inner = text.substr(1, text.size() - 2);
  return ::inet_pton(AF_INET6, inner.c_str(), &v6) == 1 ? std::optional{inner} : std::nullopt;
}

} // namespace

check read_seconds(const json_value& value, const std::string& path, std::uint32_t low,
                   std::uint32_t high, std::chrono::milliseconds& target) {
  std::uint32_t seconds = 0;
  if (auto problem = io::read_whole(value, path, low, high, seconds))
    return problem;
  target = std::chrono::seconds{seconds};
  return std::nullopt;
}

check read_absolute_path(const json_value& value, const std::string& path, std::string& target) {
  if (auto problem = io::read_path(value, path, target))
    return problem;
  if (target.front() != '/')
    return io::unexpected_value(value, path, "an absolute path");
  return std::nullopt;
}

check read_socket_mode(const json_value& value, const std::string& path,
                       std::optional<std::uint32_t>& target) {
  constexpr std::uint32_t needed = 0600;
  constexpr std::uint32_t allowed = 0666;
  std::uint32_t mode = 0;
  const auto* end = value.text.data() + value.text.size();
  auto [stop, error] = std::from_chars(value.text.data(), end, mode, 8);
  auto is_mode = value.kind == json_kind::string && error == std::errc{} && stop == end;
  if (!is_mode || (mode & needed) != needed || (mode & ~allowed) != 0)
    return io::unexpected_value(value, path,
                                R"(octal digits from "0600" to "0666", without execution)");
  target = mode;
  return std::nullopt;
}

check read_user(const json_value& value, const std::string& path,
                std::optional<std::uint32_t>& target) {
  return read_name_or_id(value, path, "a user's name or number", io::find_uid, target);
}

check read_group(const json_value& value, const std::string& path,
                 std::optional<std::uint32_t>& target) {
  return read_name_or_id(value, path, "a group's name or number", io::find_gid, target);
}

check read_listen_address(const json_value& value, const std::string& path, std::string& address,
                          std::uint16_t& port) {
  auto colon = value.text.rfind(':');
  if (value.kind == json_kind::string && colon != std::string::npos) {
    auto found = address_of(value.text.substr(0, colon));
    auto number = port_of(value.text.substr(colon + 1));
    if (found && number) {
      address = *found;
      port = *number;
      return std::nullopt;
    }
  }
  return io::unexpected_value(
    value, path, R"(an address and a port, such as "192.0.2.1:7443" or "[2001:db8::1]:7443")");
}

check read_user_names(const json_value& value, const std::string& path,
                      std::vector<std::uint32_t>& target) {
  return read_names(value, path, "a user's name", io::find_uid, target);
}

check read_group_names(const json_value& value, const std::string& path,
                       std::vector<std::uint32_t>& target) {
  return read_names(value, path, "a group's name", io::find_gid, target);
}

check read_ids(const json_value& value, const std::string& path,
               std::vector<std::uint32_t>& target) {
  return read_list(value, path, [&](const json_value& item, const std::string& item_path) {
    return io::read_whole(item, item_path, 0, last_id, target.emplace_back());
  });
}

check read_subjects(const json_value& value, const std::string& path,
                    std::vector<std::string>& target) {
  return read_list(value, path, [&](const json_value& item, const std::string& item_path) {
    auto problem = read_short_text(item, item_path, "a certificate's subject", max_subject_bytes);
    if (!problem)
      target.push_back(item.text);
    return problem;
  });
}

} // namespace crosvisor
