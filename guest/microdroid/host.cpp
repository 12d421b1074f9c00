// SPDX-License-Identifier: Apache-2.0
#include "host.hpp"

#include "../vsock/stream.hpp"

#include <cstdio>
#include <initializer_list>

namespace crosvisor::guest {

namespace {

constexpr int most_words = 6;

/// @returns whether it went well.
bool vsock(std::initializer_list<const char*> rest) {
  const char* words[most_words + 2] = {"/bin/vsock"};
  auto count = 1;
  for (auto* word : rest)
    words[count++] = word;
  return run_program(const_cast<char* const*>(words), -1) == 0;
}

/// Android's name for what goes wrong before there is vsock.
const char* early_name(cause why) {
  switch (why) {
    case cause::verification_failed: return "MICRODROID_PAYLOAD_VERIFICATION_FAILED";
    case cause::changed: return "MICRODROID_PAYLOAD_HAS_CHANGED";
    case cause::invalid_config: return "MICRODROID_INVALID_PAYLOAD_CONFIG";
    default: return "MICRODROID_UNKNOWN_RUNTIME_ERROR";
  }
}

} // namespace

void host::tell_started() const {
  if (has_vsock)
    vsock({"status", "started"});
}

void host::tell_finished(int exit_code) const {
  char code[16];
  std::snprintf(code, sizeof code, "%d", exit_code);
  if (has_vsock)
    vsock({"status", "finished", code});
}

void host::tell_error(const outcome& error) const {
  char code[16];
  std::snprintf(code, sizeof code, "%d", static_cast<int>(error.why));
  if (!has_vsock || !vsock({"status", "error", code, error.message}))
    vsock({"fail", early_name(error.why), error.message});
}

} // namespace crosvisor::guest
