// SPDX-License-Identifier: Apache-2.0
// How fast many starts at once go.
#include "crosvisor/bench/figure.hpp"
#include "crosvisor/bench/locked_starts.hpp"
#include "crosvisor/bench/measure.hpp"
#include "crosvisor/bench/stand_ins.hpp"

#include <algorithm>
#include <array>

namespace crosvisor::bench {

namespace {

constexpr std::size_t burst = 64;
constexpr int rounds = 15;
constexpr double target = 0.70;

class burst_figure final : public figure {
public:
  burst_figure() : locked_(vms_.driver(), vms_.service().path("locked")) {
    measure(); // Threads are made, files are in memory.
    for (auto& each : ways_)
      each.seconds.clear();
  }

  int repetitions() const override { return rounds; }

  sample measure() override {
    for (std::size_t i = 0; i < ways_.size(); ++i) {
      auto& next_way = ways_[(first_ + i) % ways_.size()];
      next_way.seconds.push_back((this->*next_way.run)());
    }
    first_ = (first_ + 1) % ways_.size();
    auto ours = ways_[0].seconds.back();
    return {ours,
            {{"per_s", rate(ours)},
             {"bare_per_s", rate(ways_[1].seconds.back())},
             {"locked_per_s", rate(ways_[2].seconds.back())}}};
  }

  void conclude(summary& to) const override {
    auto ours = rate(p50(ways_[0].seconds));
    auto bare = rate(p50(ways_[1].seconds));
    auto locked = rate(p50(ways_[2].seconds));
    to.add({"burst of 64", rate_text(ours), "bare spawns " + rate_text(bare),
            ratio_text(ours, bare), ">= " + ratio_text(target, 1), ours >= target * bare});
    to.add({"burst of 64", rate_text(ours), "one lock " + rate_text(locked),
            ratio_text(ours, locked), "", false});
  }

private:
  struct way {
    double (burst_figure::*run)();
    std::vector<double> seconds = {};
  };

  static double rate(double seconds) { return static_cast<double>(burst) / seconds; }

  std::vector<stand_in> next() {
    std::vector<stand_in> made;
    for (std::size_t i = 0; i < burst; ++i)
      made.push_back(vms_.next());
    return made;
  }

  /// Until the last one's exec.
  static double until_last(const std::vector<stand_in>& all, std::int64_t began) {
    std::int64_t last = 0;
    for (const auto& one : all)
      last = std::max(last, take_stamp(one.stamp));
    return seconds(last - began);
  }

  double run_ours() {
    auto all = next();
    std::vector<vm_actor> created;
    for (auto& one : all)
      created.push_back(vms_.create(one));
    auto began = now_ns();
    vms_.service().start(created);
    auto took = until_last(all, began);
    vms_.service().kill(created);
    vms_.service().settle();
    return took;
  }

  double run_bare() {
    auto all = next();
    std::vector<bare_vmm> vmms;
    vmms.reserve(burst);
    for (auto& one : all)
      vmms.push_back(vms_.bare(one));
    auto began = now_ns();
    for (auto& vmm : vmms)
      vmm.spawn();
    for (auto& vmm : vmms)
      vmm.wait_for_greeting();
    return until_last(all, began);
  }

  double run_locked() {
    auto all = next();
    auto began = locked_.run(all);
    return until_last(all, began);
  }

  stand_ins vms_;
  locked_starts locked_;
  std::array<way, 3> ways_{
    {{&burst_figure::run_ours}, {&burst_figure::run_bare}, {&burst_figure::run_locked}}};
  std::size_t first_ = 0;
};

} // namespace

std::unique_ptr<figure> make_burst_figure(summary&) {
  return std::make_unique<burst_figure>();
}

} // namespace crosvisor::bench
