// SPDX-License-Identifier: Apache-2.0
// The command line of `crosvm run`, read as strictly as crosvm does.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace stand_in {

/// Which crosvm is played.
enum class era { todays, of_2021 };

/// `key=value,…`, the first word maybe without a key (then under "").
using key_values = std::map<std::string, std::string>;

struct run_options {
  bool extended_status = false;
  std::string kernel;
  /// In the order given; flags have an empty value.
  std::vector<std::pair<std::string, std::string>> options;

  /// The value of the last one of that name; empty where there is none.
  std::string get(const std::string& name) const;
  bool has(const std::string& name) const;
};

/// Why a command line is refused, and with which code.
struct refused {
  int code;
  std::string why;
};

/// Reads the arguments after the program's name up to the last. Throws refused.
run_options parse_run(era when, const std::vector<std::string>& arguments);

/// Throws refused for what is not in `known`.
key_values parse_key_values(era when, const std::string& text,
                            const std::vector<std::string>& known);

} // namespace stand_in
