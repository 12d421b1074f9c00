// SPDX-License-Identifier: Apache-2.0
// What a keeper adds to a start, and what it has in memory.
#include "crosvisor/bench/figure.hpp"
#include "crosvisor/bench/measure.hpp"
#include "crosvisor/bench/stand_ins.hpp"

#include <cstdlib>
#include <fstream>

namespace crosvisor::bench {

namespace {

constexpr int pairs = 200;
constexpr int warm_up = 10;
constexpr double extra_target = 3e-3;
constexpr double memory_target = 3.0 * 1024 * 1024;

/// A number of /proc/PID/status; what is in KiB there, too.
double status_of(pid_t pid, const std::string& key) {
  std::ifstream status{"/proc/" + std::to_string(pid) + "/status"};
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(key + ':'))
      return std::strtod(line.c_str() + key.size() + 1, nullptr);
  throw std::runtime_error("process " + std::to_string(pid) + " has no " + key);
}

class keeper_figure final : public figure {
public:
  keeper_figure() : kept_(CROSVISOR_KEEPER) {
    for (auto i = 0; i < warm_up; ++i)
      measure();
    with_.clear();
    without_.clear();
    resident_.clear();
  }

  int repetitions() const override { return pairs; }

  sample measure() override {
    kept_first_ = !kept_first_;
    if (kept_first_)
      with_.push_back(time_start(kept_));
    without_.push_back(time_start(direct_));
    if (!kept_first_)
      with_.push_back(time_start(kept_));
    return {with_.back(), {{"without_us", without_.back() * 1e6}}};
  }

  void conclude(summary& to) const override {
    for (const auto& [name, of] : {std::pair{"p50", &p50}, {"p99", &p99}}) {
      auto extra = of(with_) - of(without_);
      to.add({std::string{"start with a keeper, "} + name, duration_text(of(with_)),
              "without " + duration_text(of(without_)), difference_text(extra),
              "<= " + difference_text(extra_target), extra <= extra_target});
    }
    auto memory = p99(resident_);
    to.add({"a keeper's memory", kib_text(memory), "", "", "<= " + kib_text(memory_target),
            memory <= memory_target});
  }

private:
  /// Until `start` is answered: QMP says that the guest runs.
  double time_start(stand_ins& of) {
    auto next = of.next();
    auto vm = of.create(next);
    auto began = now_ns();
    auto pid = of.service().start(vm).vmm_pid;
    auto took = seconds(now_ns() - began);
    if (&of == &kept_)
      resident_.push_back(1024 * status_of(static_cast<pid_t>(status_of(pid, "PPid")), "VmRSS"));
    of.service().kill({vm});
    take_stamp(next.stamp);
    return took;
  }

  stand_ins kept_, direct_;
  bool kept_first_ = false;
  std::vector<double> with_, without_, resident_;
};

} // namespace

std::unique_ptr<figure> make_keeper_figure(summary&) {
  return std::make_unique<keeper_figure>();
}

} // namespace crosvisor::bench
