// SPDX-License-Identifier: Apache-2.0
// crosvisor-share: executes a server of files in a user namespace of its own, where it is root of
// its user's files alone, and with --read-only has every system call fail that would change one.
//
//     crosvisor-share [--read-only] PROGRAM [ARGUMENT...]
#include "crosvisor/file_server/namespaces.hpp"
#include "crosvisor/file_server/read_only.hpp"

#include <unistd.h>

#include <cstring>
#include <string>
#include <string_view>

namespace {

constexpr int usage_error = 2;

// One write, so that lines of several processes don't mix.
int fail(const crosvisor::io::failure& why, int code) {
  auto text = "crosvisor-share: " + why.what + "\n";
  [[maybe_unused]] auto written = ::write(STDERR_FILENO, text.data(), text.size());
  return code;
}

} // namespace

int main(int argc, char** argv) {
  using namespace crosvisor;
  auto read_only = argc > 1 && std::string_view{argv[1]} == "--read-only";
  auto first = read_only ? 2 : 1;
  if (argc <= first || argv[first][0] != '/')
    return fail({0, "usage: crosvisor-share [--read-only] PROGRAM [ARGUMENT...], the program by "
                    "its absolute path"},
                usage_error);
  if (auto entered = file_server::enter_namespaces(); !entered)
    return fail(entered.why(), 1);
  if (read_only)
    if (auto done = file_server::refuse_writing(); !done)
      return fail(done.why(), 1);
  ::execv(argv[first], argv + first);
  return fail(io::last_failure(argv[first]), 1);
}
