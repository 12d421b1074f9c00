// SPDX-License-Identifier: Apache-2.0
// The APEXes that a host has, and which of them a guest gets.
#pragma once

#include "crosvisor/io/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace crosvisor::io {

inline constexpr std::size_t max_listed_apexes = 1024;
inline constexpr std::size_t max_apex_list_bytes = 1u << 20;

/// One APEX file of a list.
struct apex_info {
  std::string name;
  std::string path; ///< As the list has it; a relative one is relative to the list's folder.
  std::int64_t version = 0;
  std::uint64_t last_update_seconds = 0;
  bool factory = false;
  bool active = true;
  /// Whether every guest gets it, since others link against its libraries.
  bool shared_libs = false;
};

struct apex_list {
  std::string file; ///< What errors call the list.
  std::vector<apex_info> apexes;
};

/// Reads Android's `apex-info-list.xml` (its schema is system/apex/apexd's ApexInfoList.xsd): the
/// attributes `moduleName` and `modulePath` of each `apex-info`, which are required, `versionCode`,
/// `lastUpdateMillis` (seconds, in spite of its name), `isFactory`, `isActive`,
/// `provideSharedApexLibs`. Others are ignored; document types, and so entities, are refused.
result<apex_list> parse_apex_xml(std::string_view text, const std::string& file_name);

/// Reads a JSON object whose keys are names and whose values are paths, or objects of `path`,
/// `version`, `last_update`, `factory`, `active` and `shared_libs`.
result<apex_list> parse_apex_map(std::string_view text, const std::string& file_name);

/// An APEX that somebody asks for.
struct wanted_apex {
  std::string name;
  std::string asked_by; ///< For errors: `assets/vm_config.json: apexes[0]`.
};

/// The APEXes of a guest: all active ones that have a wanted name, and all that share libraries,
/// each file once, by name, version and last update in ascending order. (Android's order since
/// 2021- 10; before, it was the order of the wishes, with the neighbours among them made one.) A
/// name that the list doesn't have, or not active, is a failure; so is `{CLASSPATH}`, with which
/// Android asks for those APEXes that its own class path is in.
result<std::vector<apex_info>> select_apexes(const apex_list& list,
                                             const std::vector<wanted_apex>& wanted);

} // namespace crosvisor::io
