// SPDX-License-Identifier: Apache-2.0
// What was found out of a file: one value, printed for people or for programs.
#pragma once

#include "crosvisor/cli/term.hpp"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace crosvisor::cli {

/// In the order in which it was put together.
using ordered_facts = nlohmann::ordered_json;

struct inspection {
  /// `composite`, `gpt`, `qcow2`, `sparse`, `zstd`, `apk`, `idsig`, `instance`, `encryptedstore`,
  /// `payload_metadata` or `raw`.
  std::string format = "raw";
  /// What is particular to the format: an object whose values are numbers, texts, truths, objects
  /// of the same kind, or arrays of texts or of flat objects that all have the same keys. Names end
  /// in `_bytes` where that is the unit.
  ordered_facts facts = ordered_facts::object();
  /// What is worth knowing of a sound file; sentences.
  std::vector<std::string> remarks;
  /// What is wrong with it; sentences.
  std::vector<std::string> problems;
};

/// All that is printed, in one object: `schema`, `file`, `format`, `size_bytes`, the facts,
/// `remarks` and `problems`.
ordered_facts report_of(const inspection& from, const std::string& file, std::uint64_t size_bytes);

/// For people: `name  value` lines, and columns for lists. Made from a report_of() alone. What
/// strangers wrote comes out printable, and cut where it is very long.
std::string report_table(const ordered_facts& report, const term& paint);

/// For programs: the same as JSON in ASCII; indented or on one line, with a final line break. What
/// is no UTF-8 comes out as U+FFFD.
std::string report_json(const ordered_facts& report, bool indented = true);

} // namespace crosvisor::cli
