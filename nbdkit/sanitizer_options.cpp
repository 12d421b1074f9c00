// SPDX-License-Identifier: Apache-2.0
// What the address sanitizer asks for when it is loaded with the plugin, and not with the program.

extern "C" __attribute__((visibility("default"))) const char* __asan_default_options();

const char* __asan_default_options() {
  return "verify_asan_link_order=0";
}
