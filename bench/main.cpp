// SPDX-License-Identifier: Apache-2.0
// Prints figures, each with its rival of the same run. It judges none by its exit code.
#include "crosvisor/bench/figure.hpp"
#include "crosvisor/cli/signal_watch.hpp"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <iostream>
#include <regex>

namespace {

using namespace crosvisor;
using namespace crosvisor::bench;

enum exit_code { done = 0, failed = 1, usage = 2, interrupted = 130 };

void print_help() {
  std::cout << "usage: crosvisor-bench [FIGURE...]\n\n"
               "Measures all figures, or those that are named:\n\n";
  for (const auto& figure : all_figures())
    std::cout << "  " << figure.name << std::string(11 - std::strlen(figure.name), ' ')
              << figure.about << '\n';
  std::cout << "\n  --benchmark_filter=REGEX  those whose names match\n"
               "  --benchmark_...           other options of Google Benchmark\n";
}

bool known(const std::string& name) {
  return std::any_of(all_figures().begin(), all_figures().end(),
                     [&](const auto& figure) { return figure.name == name; });
}

/// What of the command line says which figures to run.
struct selection {
  std::vector<std::string> names;
  std::string filter;

  bool has(const std::string& name) const {
    if (!filter.empty() && !std::regex_search(name, std::regex{filter}))
      return false;
    return names.empty() || std::find(names.begin(), names.end(), name) != names.end();
  }
};

/// @returns whether all is known.
bool read_names(int argc, char** argv, selection& to) {
  for (auto i = 1; i < argc; ++i) {
    if (!known(argv[i])) {
      std::cerr << "crosvisor-bench: unknown figure or option \"" << argv[i] << "\"; see --help\n";
      return false;
    }
    to.names.emplace_back(argv[i]);
  }
  return true;
}

/// @returns false when it failed.
bool run_one(const figure_entry& entry, summary& results, const std::atomic<bool>& stop) {
  try {
    run(entry, results, stop);
  } catch (const not_here& why) {
    results.add({entry.name, "skipped", "", "", "", false});
    results.note(std::string{entry.name} + " is skipped: " + why.what());
  } catch (const std::exception& why) {
    std::cerr << "crosvisor-bench: " << entry.name << ": " << why.what() << '\n';
    results.add({entry.name, "failed", "", "", "", false});
    return false;
  }
  return true;
}

int run_all(const selection& selected) {
  std::atomic<bool> stop{false};
  auto signals = cli::signal_watch::start([&](int) { stop = true; });
  if (!signals) {
    std::cerr << "crosvisor-bench: " << signals.why().what << '\n';
    return failed;
  }
  summary results;
  auto code = done;
  for (const auto& entry : all_figures())
    if (selected.has(entry.name) && !stop && !run_one(entry, results, stop))
      code = failed;
  results.print(std::cout);
  return stop ? interrupted : code;
}

} // namespace

int main(int argc, char** argv) {
  cli::block_ending_signals();
  for (auto i = 1; i < argc; ++i)
    if (std::strcmp(argv[i], "--help") == 0 || std::strcmp(argv[i], "-h") == 0)
      return print_help(), done;
  benchmark::Initialize(&argc, argv);
  selection selected;
  selected.filter = benchmark::GetBenchmarkFilter();
  if (!read_names(argc, argv, selected))
    return usage;
  try {
    return run_all(selected);
  } catch (const std::regex_error& why) {
    std::cerr << "crosvisor-bench: --benchmark_filter: " << why.what() << '\n';
    return usage;
  }
}
