// SPDX-License-Identifier: Apache-2.0
// The payload of the demo app, as a program and as a shared object of Microdroid's of 2021: the
// build names the function.
#include <sys/utsname.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

extern "C" int DEMO_ENTRY(int count, char** words);

/// Greets; then `exit CODE` exits so, and `kill` ends it by SIGKILL.
int DEMO_ENTRY(int count, char** words) {
  utsname system;
  ::uname(&system);
  auto* hash = std::getenv("MICRODROID_APK_ROOT_HASH");
  std::printf("Hello from the app, on Linux %s; its APK, root hash %.8s..., is verified.\n",
              system.release, hash != nullptr ? hash : "unknown");
  for (auto i = 1; i < count; ++i)
    std::printf("argument %d: %s\n", i, words[i]);
  std::fflush(stdout);
  if (count > 1 && std::strcmp(words[1], "kill") == 0)
    std::raise(SIGKILL);
  return count > 2 && std::strcmp(words[1], "exit") == 0 ? std::atoi(words[2]) : 0;
}
