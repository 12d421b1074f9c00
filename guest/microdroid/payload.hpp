// SPDX-License-Identifier: Apache-2.0
// The payload: found as the metadata says, and run.
#pragma once

#include "metadata.hpp"
#include "outcome.hpp"
#include "payload_config.hpp"

namespace crosvisor::guest {

/// What is to be run, ended by a null. Its strings are valid as long as it is where it is.
struct payload {
  /// A launcher and a path before the task's own arguments.
  const char* words[task::most_arguments + 3] = {};
  char path[1200] = ""; ///< Of the payload's file.
};

/// Reads the configuration that the metadata names, if it names one, and finds the payload's file
/// below /mnt/apk. A file that is missing is cause::invalid_config, by its name.
outcome find_payload(const payload_metadata& metadata, payload& found);

/// Runs it, its output to port 3000 of the host where that is taken, else to ours.
/// @returns its exit code, 128 + n for signal n, 127 where it can't be run.
int run_payload(const payload& what, bool has_vsock);

} // namespace crosvisor::guest
