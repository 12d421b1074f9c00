// SPDX-License-Identifier: Apache-2.0
// What the service costs between `start` and the VMM's exec.
#include "crosvisor/bench/figure.hpp"
#include "crosvisor/bench/measure.hpp"
#include "crosvisor/bench/stand_ins.hpp"

#include <cctype>
#include <fstream>
#include <sstream>

namespace crosvisor::bench {

namespace {

constexpr int pairs = 500;
constexpr int warm_up = 20;
constexpr double p50_target = 1e-3;
constexpr double p99_target = 4e-3;

/// Numbers of descriptors and VMs differ from one start to the next.
std::string without_digits(std::string text) {
  std::erase_if(text, [](unsigned char c) { return std::isdigit(c) != 0; });
  return text;
}

std::string command_line_of(pid_t pid) {
  std::ostringstream text;
  text << std::ifstream{"/proc/" + std::to_string(pid) + "/cmdline"}.rdbuf();
  return text.str();
}

class start_figure final : public figure {
public:
  start_figure() {
    check_rival();
    for (auto i = 0; i < warm_up; ++i)
      measure();
    ours_.clear();
    bare_.clear();
    extra_.clear();
  }

  int repetitions() const override { return pairs; }

  sample measure() override {
    double ours = 0, bare = 0;
    ours_first_ = !ours_first_;
    if (ours_first_)
      ours = measure_ours();
    bare = measure_bare();
    if (!ours_first_)
      ours = measure_ours();
    ours_.push_back(ours);
    bare_.push_back(bare);
    extra_.push_back(ours - bare);
    return {ours, {{"bare_us", bare * 1e6}, {"extra_us", (ours - bare) * 1e6}}};
  }

  void conclude(summary& to) const override {
    auto row = [&](const char* name, double ours, double bare, double target) {
      to.add({std::string{"start, "} + name, duration_text(ours),
              "bare spawn " + duration_text(bare), difference_text(ours - bare),
              "<= " + difference_text(target), ours - bare <= target});
    };
    row("p50", p50(ours_), p50(bare_), p50_target);
    row("p99", p99(ours_), p99(bare_), p99_target);
    to.add({"start, extra of each pair, p50", difference_text(p50(extra_)), "", "", "", false});
    to.add({"start, extra of each pair, p99", difference_text(p99(extra_)), "", "", "", false});
  }

private:
  double measure_ours() {
    auto next = vms_.next();
    auto vm = vms_.create(next);
    auto began = now_ns();
    vms_.service().start(vm);
    auto ran = take_stamp(next.stamp);
    vms_.service().kill({vm});
    vms_.service().settle();
    return seconds(ran - began);
  }

  double measure_bare() {
    auto next = vms_.next();
    auto vmm = vms_.bare(next);
    auto began = now_ns();
    vmm.spawn();
    vmm.wait_for_greeting();
    return seconds(take_stamp(next.stamp) - began);
  }

  /// Both ways execute the same.
  void check_rival() {
    auto first = vms_.next(), second = vms_.next();
    auto vm = vms_.create(first);
    auto ours = command_line_of(vms_.service().start(vm).vmm_pid);
    vms_.service().kill({vm});
    auto rival = vms_.bare(second);
    std::string bare;
    for (const auto& argument : rival.argv())
      bare += argument + '\0';
    if (without_digits(ours) != without_digits(bare))
      throw std::runtime_error("the service executes another command line than the bare spawn");
  }

  stand_ins vms_;
  bool ours_first_ = false;
  std::vector<double> ours_, bare_, extra_;
};

} // namespace

std::unique_ptr<figure> make_start_figure(summary&) {
  return std::make_unique<start_figure>();
}

} // namespace crosvisor::bench
