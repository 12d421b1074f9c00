// SPDX-License-Identifier: Apache-2.0
#include "crosvm_parts.hpp"
#include "end_by.hpp"

#include <nlohmann/json.hpp>

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <sstream>

namespace stand_in {

using nlohmann::json;

namespace {

/// What is played where the VM goes on.
struct scene {
  bool ignore_power = false;
  bool no_stats = false;
  bool refuse_suspend = false;
  std::uint64_t balloon_bytes = 0;
};

/// Without the option, every end that is no error is 0.
[[noreturn]] void end(const run_options& options, int code) {
  auto extended = code == 0 || code == 1 || code == 35 || options.extended_status;
  std::_Exit(extended ? code : 0);
}

void write_line(int fd, const std::string& text) {
  auto line = text + '\n';
  if (::write(fd, line.data(), line.size()) < 0)
    std::perror("write");
}

/// As a vCPU does that KVM can't run: it never ends, and fills what it is given.
[[noreturn]] void flood() {
  for (;;)
    std::fputs("unexpected vcpu exit: InternalError\n", stderr);
}

[[noreturn]] void hang() {
  std::signal(SIGTERM, SIG_IGN);
  for (;;)
    ::pause();
}

int make_socket(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  auto fd = ::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0
      && ::listen(fd, 8) == 0)
    return fd;
  std::perror("failed to create control server");
  std::_Exit(1);
}

json adjust_balloon(scene& now, const json& command) {
  if (command.is_object() && command.contains("Adjust")) {
    now.balloon_bytes = command["Adjust"]["num_bytes"];
    return "Ok";
  }
  json stats{{"free_memory", 1000000}, {"total_memory", 100000000}, {"swap_in", nullptr}};
  return {{"BalloonStats", {{"stats", stats}, {"balloon_actual", now.balloon_bytes}}}};
}

/// The response, or null for none at all.
json respond(era when, scene& now, const json& request) {
  auto todays = when == era::todays;
  if (request == "Exit" || (todays && request == "Powerbtn"))
    return "Ok";
  if (request == (todays ? "SuspendVcpus" : "Suspend"))
    return now.refuse_suspend ? json{{"ErrString", "devices are asleep"}} : json("Ok");
  if (request == (todays ? "ResumeVcpus" : "Resume"))
    return "Ok";
  if (!request.is_object() || !request.contains("BalloonCommand"))
    return {{"Err", EINVAL}};
  auto command = request["BalloonCommand"];
  return now.no_stats && command == "Stats" ? json(nullptr) : adjust_balloon(now, command);
}

/// Answers one packet; false when the connection is over.
bool serve_one(era when, scene& now, const run_options& options, int client) {
  std::array<char, 4096> buffer{};
  auto n = ::recv(client, buffer.data(), buffer.size(), 0);
  if (n <= 0)
    return false;
  auto request = json::parse(buffer.begin(), buffer.begin() + n, nullptr, false);
  auto response = respond(when, now, request);
  if (response.is_null())
    return true;
  auto text = response.dump();
  ::send(client, text.data(), text.size(), MSG_NOSIGNAL);
  if (request == "Exit" || (request == "Powerbtn" && response == "Ok" && !now.ignore_power))
    end(options, 0);
  return true;
}

[[noreturn]] void run(era when, scene now, const run_options& options, int listener) {
  std::vector<pollfd> fds{{listener, POLLIN, 0}};
  for (;;) {
    ::poll(fds.data(), fds.size(), -1);
    for (std::size_t i = fds.size(); i-- > 1;)
      if (fds[i].revents != 0 && !serve_one(when, now, options, fds[i].fd)) {
        ::close(fds[i].fd);
        fds.erase(fds.begin() + static_cast<std::ptrdiff_t>(i));
      }
    if ((fds[0].revents & POLLIN) != 0)
      fds.push_back({::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC), POLLIN, 0});
  }
}

int serial(const run_options& options, const std::string& port) {
  for (const auto& [option, value] : options.options)
    if (option == "--serial" && value.find(port) != value.npos)
      return std::atoi(value.c_str() + value.find("/fd/") + 4);
  return -1;
}

/// One `play=` word; returns only where the VM goes on.
void play(const run_options& options, scene& now, const std::string& word) {
  auto colon = word.find(':');
  auto what = word.substr(0, colon);
  auto rest = colon == word.npos ? "" : word.substr(colon + 1);
  if (what == "exit")
    end(options, std::atoi(rest.c_str()));
  if (what == "signal")
    end_by(std::atoi(rest.c_str()));
  if (what == "console")
    write_line(serial(options, "hardware=serial,num=1"), rest);
  if (what == "log")
    write_line(serial(options, "hardware=virtio-console,num=3"), rest);
  if (what == "flood-stderr")
    flood();
  if (what == "hang")
    hang();
  now.ignore_power |= what == "ignore-power";
  now.no_stats |= what == "no-stats";
  now.refuse_suspend |= what == "refuse-suspend";
}

int control_socket(era when, const run_options& options,
                   const std::vector<named_descriptor>& named) {
  if (when == era::of_2021)
    return make_socket(options.get("--socket"));
  for (const auto& what : named)
    if (what.role == "control")
      return what.fd;
  std::_Exit(1);
}

} // namespace

int play_vm(era when, const run_options& options, const std::vector<named_descriptor>& named) {
  auto listener = control_socket(when, options, named);
  scene now;
  std::istringstream params{options.get("--params")};
  for (std::string word; params >> word;) {
    if (word.starts_with("report="))
      std::ofstream{word.substr(7)} << report(named);
    if (word.starts_with("play="))
      play(options, now, word.substr(5));
  }
  run(when, now, options, listener);
}

} // namespace stand_in
