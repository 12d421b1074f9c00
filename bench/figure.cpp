// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/bench/figure.hpp"

#include "crosvisor/bench/measure.hpp"

#include <benchmark/benchmark.h>

#include <exception>

namespace crosvisor::bench {

namespace {

/// Prints the context once for all figures, and of the statistics those that were asked for.
class reporter : public benchmark::ConsoleReporter {
public:
  reporter() : ConsoleReporter(OO_Tabular) {}

  bool ReportContext(const Context& context) override {
    static auto first = true;
    if (!std::exchange(first, false)) {
      name_field_width_ = context.name_field_width;
      return true;
    }
    return ConsoleReporter::ReportContext(context);
  }

  void ReportRuns(const std::vector<Run>& reports) override {
    std::vector<Run> kept;
    for (const auto& report : reports)
      if (report.aggregate_name == "p50" || report.aggregate_name == "p99")
        kept.push_back(report);
    ConsoleReporter::ReportRuns(kept);
  }
};

class runner {
public:
  runner(figure& what, const std::atomic<bool>& interrupted)
      : figure_(what), interrupted_(interrupted) {}

  /// Called once for each repetition.
  void operator()(benchmark::State& state) {
    for (auto _ : state)
      if (!over() && !measure(state))
        state.SkipWithError("it failed");
    if (over())
      state.SkipWithError("it ended early");
  }

  void rethrow() const {
    if (failed_)
      std::rethrow_exception(failed_);
  }

private:
  bool over() const { return failed_ || interrupted_; }

  /// Nothing is thrown through Google Benchmark, which does not expect it.
  bool measure(benchmark::State& state) {
    try {
      auto found = figure_.measure();
      state.SetIterationTime(found.seconds);
      for (const auto& [name, value] : found.beside)
        state.counters[name] = value;
    } catch (...) {
      failed_ = std::current_exception();
    }
    return !failed_;
  }

  figure& figure_;
  const std::atomic<bool>& interrupted_;
  std::exception_ptr failed_;
};

} // namespace

const std::vector<figure_entry>& all_figures() {
  static const std::vector<figure_entry> all{
    {"list", "listing 1,000 VMs, and the memory that each takes", make_list_figure},
    {"start", "from `start` to the VMM's exec, against a bare spawn", make_start_figure},
    {"burst", "64 starts at once, against bare spawns and one lock", make_burst_figure},
    {"boot", "from `start` to the guest's greeting, against QEMU alone", make_boot_figure},
    {"vsock", "bytes, round trips and connects of a guest, against socket pairs",
     make_vsock_figure},
    {"digest", "an APK's hash tree, against fsverity, veritysetup and openssl", make_digest_figure},
    {"composite", "putting a disk together from partitions, one and 64 at once",
     make_composite_figure},
    {"disk", "a guest reading such a disk, against a raw image", make_disk_figure},
    {"request", "a request over the daemon's socket and TLS, against one in the process",
     make_request_figure},
    {"command", "`crosvisor list` as a whole process, and the daemon's memory, against libvirt",
     make_command_figure},
    {"create", "a guest that runs, by the daemon, against QEMU alone and virsh",
     make_create_figure},
    {"keeper", "what a keeper adds to a start, and its memory", make_keeper_figure},
    {"adoption", "a daemon that was killed, until it is there again with 100 VMs",
     make_adoption_figure},
    {"images", "a file that is pushed over TLS, against curl and openssl", make_image_figure},
    {"events", "events to 1,000 subscribers, against sending them alone", make_events_figure},
  };
  return all;
}

void run(const figure_entry& entry, summary& to, const std::atomic<bool>& interrupted) {
  auto prepared = entry.make(to);
  runner once{*prepared, interrupted};
  benchmark::RegisterBenchmark(entry.name, [&](benchmark::State& state) { once(state); })
    ->Iterations(1)
    ->Repetitions(prepared->repetitions())
    ->UseManualTime()
    ->ReportAggregatesOnly()
    ->Unit(benchmark::kMicrosecond)
    ->ComputeStatistics("p50", p50)
    ->ComputeStatistics("p99", p99);
  reporter console;
  benchmark::RunSpecifiedBenchmarks(&console, std::string{"all"});
  benchmark::ClearRegisteredBenchmarks();
  once.rethrow();
  if (!interrupted)
    prepared->conclude(to);
}

} // namespace crosvisor::bench
