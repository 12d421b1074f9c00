// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/run_ending.hpp"

#include "crosvisor/cli/exit_code.hpp"
#include "crosvisor/io/config/printable.hpp"
#include "crosvisor/io/log/kept_logs.hpp"

#include <filesystem>
#include <system_error>

namespace crosvisor::cli {

namespace {

constexpr std::size_t shown_lines = 10;

bool is_there(const std::string& folder) {
  std::error_code unreadable;
  return std::filesystem::exists(folder, unreadable);
}

/// The VM's last words, where they were kept.
std::vector<std::string> log_lines(const vm_info& vm, const log_source& logs) {
  std::vector<std::string> lines;
  for (auto log : {log_kind::console, log_kind::vmm}) {
    auto last = last_lines(logs, vm.cid, log, shown_lines);
    if (last.empty())
      continue;
    lines.push_back("crosvisor: the last lines of its " + to_string(log) + ':');
    for (const auto& line : last)
      lines.push_back("  | " + line);
  }
  return lines;
}

} // namespace

std::vector<std::string> ending_lines(const run_outcome& outcome, const run_options& options,
                                      const log_source& logs, const std::string& state_dir) {
  std::vector<std::string> lines;
  if (!outcome.error.empty())
    lines.push_back("crosvisor: "
                    + (outcome.lost ? "" : io::printable(options.subject, 4096) + ": ")
                    + io::printable(outcome.error, 800));
  if (!outcome.death || !ended_badly(outcome.death->reason))
    return lines;
  auto last = log_lines(outcome.vm, logs);
  lines.insert(lines.end(), last.begin(), last.end());
  if (!options.console.empty())
    return lines;
  auto see = "see `crosvisor logs " + std::to_string(outcome.vm.cid) + '`';
  auto folder = io::log_folder(state_dir, outcome.vm.cid, outcome.vm.name);
  // A VM that had no VMM has none.
  if (!state_dir.empty() && is_there(folder))
    lines.push_back("crosvisor: all that was kept is in " + folder + "; " + see);
  else if (state_dir.empty() && !last.empty())
    lines.push_back("crosvisor: for all that was kept " + see);
  return lines;
}

} // namespace crosvisor::cli
