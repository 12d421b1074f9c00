// SPDX-License-Identifier: Apache-2.0
// Plays QEMU: answers --version and -accel help, and speaks QMP on the descriptor of its
// `-chardev socket,id=qmp,fd=N`. What it plays, words in its -append say, in their order:
//
//   play=up              runs until it is told to end (without any word, too)
//   play=never           says nothing, and ignores SIGTERM with play=hang before it
//   play=garbage         says something that is no QMP, and stays
//   play=half            says half a greeting, and stays
//   play=exit:N          ends with a code, before it says anything
//   play=signal:N        ends by a signal, before it says anything
//   play=console:TEXT    writes a line to ttyS0's descriptor
//   play=log:TEXT        writes a line to hvc2's descriptor
//   play=refuse-quit     says no to quit
//   play=ignore-power    says yes to system_powerdown, and does nothing
//   play=hang            ignores SIGTERM
//   play=reset           resets once it is up; play=off and play=panic likewise
//   play=internal-error  is stopped by an error once it is up
//   play=mute            answers nothing once it is up
// A disk of another process's must be a connected stream on which that process has begun to speak
// NBD; else it ends with 1, and says so.
//
//   stamp=PATH           writes the time of its start to a new file, CLOCK_MONOTONIC in ns
#include "end_by.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <utility>
#include <vector>

namespace {

struct scene {
  int qmp = -1;
  int console = -1;
  int log = -1;
  bool refuse_quit = false;
  bool ignore_power = false;
  bool mute = false;
  std::string act; ///< What happens once it is up; empty: nothing.
  std::string status = "prelaunch";
  bool started = false; ///< As with -S, the guest waits for the first cont.
  unsigned long long memory = 128u << 20;
  unsigned long long left = 128u << 20; ///< What the balloon leaves of it.
};

volatile std::sig_atomic_t ended_by = 0;

void on_signal(int number) {
  ended_by = number;
}

bool take(const std::string& word, const char* start, std::string& rest) {
  if (word.compare(0, std::strlen(start), start) != 0)
    return false;
  rest = word.substr(std::strlen(start));
  return true;
}

void write_all(int fd, const std::string& text) {
  for (std::size_t at = 0; at < text.size();) {
    auto n = ::write(fd, text.data() + at, text.size() - at);
    if (n <= 0)
      return;
    at += static_cast<std::size_t>(n);
  }
}

void say(const scene& now, const std::string& line) {
  write_all(now.qmp, line + "\r\n");
}

void event(const scene& now, const std::string& name, const std::string& data = {}) {
  say(now, R"({"timestamp": {"seconds": 1, "microseconds": 2}, "event": ")" + name + '"'
             + (data.empty() ? "" : ", \"data\": " + data) + '}');
}

[[noreturn]] void shut_down(const scene& now, const std::string& reason, bool guest) {
  event(now, "SHUTDOWN",
        std::string{R"({"guest": )"} + (guest ? "true" : "false") + R"(, "reason": ")" + reason
          + "\"}");
  std::_Exit(0);
}

/// Waits for something to read, or for a signal: those are blocked but here, so that none comes
/// between looking for it and waiting.
void wait_for(const scene& now, int fd) {
  sigset_t none;
  sigemptyset(&none);
  pollfd waiting{fd, POLLIN, 0};
  ::ppoll(&waiting, 1, nullptr, &none);
  if (ended_by != 0)
    shut_down(now, "host-signal", false);
}

[[noreturn]] void sleep_forever(const scene& now) {
  for (;;)
    wait_for(now, -1);
}

/// What is called `key` in a request; a request has few words, and each at most once.
std::string value_of(const std::string& request, const std::string& key) {
  auto at = request.find('"' + key + "\":");
  if (at == request.npos)
    return {};
  at += key.size() + 3;
  auto quoted = request[at] == '"';
  auto end = quoted ? request.find('"', ++at) : request.find_first_of(",}", at);
  return request.substr(at, end - at);
}

void answer(const scene& now, const std::string& request, const std::string& value) {
  say(now, "{\"return\": " + value + ", \"id\": " + value_of(request, "id") + '}');
}

void refuse(const scene& now, const std::string& request, const std::string& why) {
  say(now, R"({"id": )" + value_of(request, "id") + R"(, "error": {"class": "GenericError", )"
             + R"("desc": ")" + why + "\"}}");
}

/// What the guest does, once it runs.
void act(scene& now) {
  auto what = std::exchange(now.act, {});
  if (what == "off")
    shut_down(now, "guest-shutdown", true);
  if (what == "reset")
    shut_down(now, "guest-reset", true);
  if (what == "panic") {
    event(now, "GUEST_PANICKED", R"({"action": "poweroff"})");
    shut_down(now, "guest-panic", true);
  }
  if (what == "internal-error") {
    now.status = what;
    event(now, "STOP");
  }
}

void stop_or_cont(scene& now, const std::string& request, bool stop) {
  now.status = stop ? "paused" : "running";
  event(now, stop ? "STOP" : "RESUME");
  answer(now, request, "{}");
  if (!stop && !std::exchange(now.started, true))
    act(now);
}

void handle(scene& now, const std::string& request) {
  auto command = value_of(request, "execute");
  if (now.mute && now.started)
    return;
  if (command == "query-status") {
    answer(now, request, R"({"status": ")" + now.status + R"(", "running": true})");
  } else if (command == "quit" && now.refuse_quit) {
    refuse(now, request, "not now");
  } else if (command == "quit") {
    answer(now, request, "{}");
    shut_down(now, "host-qmp-quit", false);
  } else if (command == "system_powerdown") {
    answer(now, request, "{}");
    event(now, "POWERDOWN");
    if (!now.ignore_power)
      shut_down(now, "guest-shutdown", true);
  } else if (command == "stop" || command == "cont") {
    stop_or_cont(now, request, command == "stop");
  } else if (command == "query-balloon") {
    answer(now, request, "{\"actual\": " + std::to_string(now.left) + '}');
  } else if (command == "balloon") {
    now.left = std::strtoull(value_of(request, "value").c_str(), nullptr, 10);
    answer(now, request, "{}");
  } else if (command == "qmp_capabilities") {
    answer(now, request, "{}");
  } else {
    refuse(now, request, "The command " + command + " has not been found");
  }
}

[[noreturn]] void serve(scene& now) {
  say(now, R"({"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, )"
           R"("package": "stand-in"}, "capabilities": ["oob"]}})");
  std::string buffer;
  char chunk[1024];
  for (;;) {
    wait_for(now, now.qmp);
    auto n = ::read(now.qmp, chunk, sizeof chunk);
    if (n <= 0)
      sleep_forever(now); // The real one, too, runs on without its monitor.
    buffer.append(chunk, static_cast<std::size_t>(n));
    for (auto end = buffer.find('\n'); end != buffer.npos; end = buffer.find('\n')) {
      handle(now, buffer.substr(0, end));
      buffer.erase(0, end + 1);
    }
  }
}

void stamp(const std::string& path, const timespec& started) {
  auto fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  write_all(fd, std::to_string(started.tv_sec * 1'000'000'000LL + started.tv_nsec) + '\n');
  ::close(fd);
}

void play(scene& now, const std::string& word) {
  std::string rest;
  if (take(word, "exit:", rest))
    std::_Exit(std::atoi(rest.c_str()));
  if (take(word, "signal:", rest))
    stand_in::end_by(std::atoi(rest.c_str()));
  else if (take(word, "console:", rest))
    write_all(now.console, rest + '\n');
  else if (take(word, "log:", rest))
    write_all(now.log, rest + '\n');
  else if (word == "hang")
    std::signal(SIGTERM, SIG_IGN);
  else if (word == "garbage")
    write_all(now.qmp, "SSH-2.0-OpenSSH_9.2\x1b[2J\n");
  else if (word == "half")
    write_all(now.qmp, R"({"QMP": {"version")");
  now.refuse_quit |= word == "refuse-quit";
  now.ignore_power |= word == "ignore-power";
  now.mute |= word == "mute";
  if (word == "off" || word == "reset" || word == "panic" || word == "internal-error")
    now.act = word;
  if (word == "never" || word == "garbage" || word == "half")
    sleep_forever(now);
}

std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> words;
  for (std::size_t at = 0; at < text.size();) {
    auto end = text.find(' ', at);
    end = end == text.npos ? text.size() : end;
    if (end > at)
      words.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

/// The number at the end of `start` in an option's value, as in `…,path=/dev/fdset/7,append=on`.
int number_after(const std::string& value, const std::string& start) {
  auto at = value.find(start);
  return at == value.npos ? -1 : std::atoi(value.c_str() + at + start.size());
}

/// Whether a server greets on `fd`, as NBD's do first of all.
bool greets(int fd) {
  char greeting[8]{};
  pollfd ready{fd, POLLIN, 0};
  return ::poll(&ready, 1, 10'000) == 1
         && ::recv(fd, greeting, sizeof greeting, MSG_PEEK | MSG_WAITALL) == sizeof greeting
         && std::memcmp(greeting, "NBDMAGIC", sizeof greeting) == 0;
}

void check_disk(const std::string& node) {
  if (node.find(R"("driver":"nbd")") == node.npos || greets(number_after(node, R"("str":")")))
    return;
  std::fprintf(stderr, "no disk server: %s\n", node.c_str());
  std::_Exit(1);
}

/// Reads what it needs of the options, and returns -append's value.
std::string read_options(scene& now, int argc, char** argv) {
  std::string append;
  for (auto i = 1; i + 1 < argc; ++i) {
    std::string option = argv[i];
    std::string value = argv[i + 1];
    if (option == "-append")
      append = value;
    if (option == "-m")
      now.memory = now.left = std::strtoull(value.c_str(), nullptr, 10) << 20;
    if (option == "-blockdev")
      check_disk(value);
    if (option != "-chardev")
      continue;
    if (value.rfind("socket,id=qmp,", 0) == 0)
      now.qmp = number_after(value, "fd=");
    if (value.rfind("file,id=ttyS0,", 0) == 0)
      now.console = number_after(value, "/dev/fdset/");
    if (value.rfind("file,id=hvc2,", 0) == 0)
      now.log = number_after(value, "/dev/fdset/");
  }
  return append;
}

} // namespace

int main(int argc, char** argv) {
  timespec started{};
  ::clock_gettime(CLOCK_MONOTONIC, &started);
  if (argc == 2 && std::strcmp(argv[1], "--version") == 0)
    return std::puts("QEMU emulator version 7.2.22 (stand-in)") < 0;
  if (argc == 3 && std::strcmp(argv[1], "-accel") == 0)
    return std::puts("Accelerators supported in QEMU binary:\ntcg\nkvm") < 0;
  // Blocked before it is handled: one that came between would be noted, and nobody would look.
  sigset_t blocked;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  ::sigprocmask(SIG_BLOCK, &blocked, nullptr);
  struct sigaction action {};
  action.sa_handler = on_signal;
  ::sigaction(SIGTERM, &action, nullptr);
  scene now;
  std::string rest;
  auto words = words_of(read_options(now, argc, argv));
  for (const auto& word : words)
    if (take(word, "stamp=", rest))
      stamp(rest, started);
    else if (take(word, "play=", rest))
      play(now, rest);
  if (now.qmp < 0)
    return 1;
  serve(now);
}
