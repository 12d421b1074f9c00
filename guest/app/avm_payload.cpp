// SPDX-License-Identifier: Apache-2.0
// The payload of the demo app as a shared object of today's Microdroid.
#include <cstdio>

extern "C" void AVmPayload_notifyPayloadReady();
extern "C" const char* AVmPayload_getApkContentsPath();
extern "C" int AVmPayload_main();

int AVmPayload_main() {
  std::printf("Hello from the app's library; its files are in %s.\n",
              AVmPayload_getApkContentsPath());
  std::fflush(stdout);
  AVmPayload_notifyPayloadReady();
  return 0;
}
