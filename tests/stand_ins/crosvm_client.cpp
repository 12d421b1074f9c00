// SPDX-License-Identifier: Apache-2.0
#include "crosvm_parts.hpp"

#include <nlohmann/json.hpp>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstring>

namespace stand_in {

using nlohmann::json;

namespace {

/// The request that a command sends; null for no command of this crosvm's.
json request_for(era when, const std::vector<std::string>& arguments) {
  const auto& command = arguments[0];
  auto todays = when == era::todays;
  if (command == "stop")
    return "Exit";
  if (command == "powerbtn" && todays)
    return "Powerbtn";
  if (command == "suspend")
    return todays ? "SuspendVcpus" : "Suspend";
  if (command == "resume")
    return todays ? "ResumeVcpus" : "Resume";
  if (command == "balloon_stats")
    return {{"BalloonCommand", "Stats"}};
  if (command != "balloon")
    return nullptr;
  json adjust{{"num_bytes", std::stoull(arguments.at(1))}};
  if (todays)
    adjust["wait_for_success"] = false;
  return {{"BalloonCommand", {{"Adjust", adjust}}}};
}

int connect_to(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  auto fd = ::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
    return fd;
  std::fprintf(stderr, "failed to connect to socket at '%s': %s\n", path.c_str(),
               std::strerror(errno));
  return -1;
}

} // namespace

int ask_vm(era when, const std::vector<std::string>& arguments) {
  auto request = request_for(when, arguments);
  if (request.is_null() || arguments.size() < 2)
    return std::fputs("arg parsing failed\n", stderr), when == era::todays ? 35 : 1;
  auto fd = connect_to(arguments.back());
  if (fd < 0)
    return 1;
  auto text = request.dump();
  ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
  std::array<char, 4096> buffer{};
  auto n = ::recv(fd, buffer.data(), buffer.size(), 0);
  if (n <= 0)
    return std::fputs("failed to send request to socket\n", stderr), 1;
  auto response = json::parse(buffer.begin(), buffer.begin() + n, nullptr, false);
  if (arguments[0] == "balloon_stats")
    return std::puts(response.dump(2).c_str()), response.contains("BalloonStats") ? 0 : 1;
  if (response == "Ok")
    return 0;
  std::printf("unexpected response: %s\n", response.dump().c_str());
  return 1;
}

} // namespace stand_in
