// SPDX-License-Identifier: Apache-2.0
// The commands of the program; each returns its exit code.
#pragma once

namespace crosvisor::guest {

/// What follows the command's name.
struct arguments {
  char** words;
  int count;
};

/// Wrong use: no exit code, so that a payload can have any.
inline constexpr int usage_error = -1;

int output_command(arguments given);
int status_command(arguments given);
int fail_command(arguments given);
int send_command(arguments given);
int flood_command(arguments given);

/// @param background return once all ports are open.
int serve_command(arguments given, bool background);

/// Says to the console what went wrong, and errno's text. @returns 1.
int failed(const char* what);

} // namespace crosvisor::guest
