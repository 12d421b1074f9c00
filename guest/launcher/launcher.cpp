// SPDX-License-Identifier: Apache-2.0
// Runs a payload that is a shared object: what Android's microdroid_launcher does. It is the one
// program of the guest that is not static, since only such a one can load another.
#include <sys/wait.h>

#include <cstdio>

#include <dlfcn.h>
#include <spawn.h>
#include <unistd.h>

namespace {

template <class Function>
Function* find(void* library, const char* name) {
  return reinterpret_cast<Function*>(::dlsym(library, name));
}

} // namespace

// -- what Android's vm_payload.h promises a payload, as far as there is something to it ---------

extern "C" [[gnu::visibility("default")]] void AVmPayload_notifyPayloadReady() {
  const char* words[] = {"/bin/vsock", "status", "ready", nullptr};
  pid_t child;
  if (::posix_spawn(&child, words[0], nullptr, nullptr, const_cast<char* const*>(words), environ)
      == 0)
    ::waitpid(child, nullptr, 0);
}

extern "C" [[gnu::visibility("default")]] const char* AVmPayload_getApkContentsPath() {
  return "/mnt/apk";
}

/// The payload's exit code; 127 for one that can't be run.
int main(int count, char** words) {
  if (count < 2) {
    std::fputs("usage: microdroid_launcher LIBRARY [ARGUMENT...]\n", stderr);
    return 127;
  }
  auto* library = ::dlopen(words[1], RTLD_NOW);
  if (library == nullptr) {
    std::fprintf(stderr, "microdroid_launcher: %s\n", ::dlerror());
    return 127;
  }
  if (auto* today = find<int()>(library, "AVmPayload_main"))
    return today();
  if (auto* of_2021 = find<int(int, char**)>(library, "android_native_main"))
    return of_2021(count - 1, words + 1);
  std::fprintf(stderr,
               "microdroid_launcher: %s has neither AVmPayload_main nor android_native_main\n",
               words[1]);
  return 127;
}
