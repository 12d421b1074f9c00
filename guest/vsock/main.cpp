// SPDX-License-Identifier: Apache-2.0
// The demo guest's program that speaks with its host: /bin/vsock there.
#include "commands.hpp"
#include "connection.hpp"
#include "stream.hpp"

#include <csignal>
#include <cstdlib>
#include <new>
#include <string_view>

#include <unistd.h>

namespace {

using namespace crosvisor::guest;

constexpr std::string_view usage = R"(usage: vsock COMMAND

  output [--port N] -- PROGRAM [ARGUMENT...]
                      run it with its output to the host's port N (3000)
  output [--port N]   the same with what comes in
  status STATUS...    tell the host: started, ready, finished CODE, or
                      error CODE MESSAGE
  fail REASON [DETAIL]
                      tell it by the second serial port
  send PORT BYTES     send so much of the pattern to the host
  flood PORT COUNT    open so many connections to the host at once
  ROLE PORT [ROLE PORT...]
                      serve the host: echo, sink, source, deaf, resetter
  serve ROLE PORT [ROLE PORT...]
                      the same in the background, once the ports are open
)";

int run(std::string_view command, arguments rest, arguments all) {
  if (command == "output")
    return output_command(rest);
  if (command == "status")
    return status_command(rest);
  if (command == "fail")
    return fail_command(rest);
  if (command == "send")
    return send_command(rest);
  if (command == "flood")
    return flood_command(rest);
  if (command == "serve")
    return serve_command(rest, true);
  if (parse_role(command) != role::none)
    return serve_command(all, false);
  return usage_error;
}

} // namespace

// What the standard library has brings its exceptions along, and with them half a megabyte.
void* operator new(std::size_t size) {
  if (auto* memory = std::malloc(size))
    return memory;
  std::abort();
}
void* operator new[](std::size_t size) {
  return operator new(size);
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete[](void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
  std::free(memory);
}

int main(int count, char** words) {
  // A host that is gone is told by the write.
  std::signal(SIGPIPE, SIG_IGN);
  auto code = usage_error;
  if (count > 1)
    code = run(words[1], {words + 2, count - 2}, {words + 1, count - 1});
  if (code == usage_error)
    return write_all(STDERR_FILENO, usage.data(), usage.size()) ? 2 : 1;
  return code;
}
