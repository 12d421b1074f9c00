// SPDX-License-Identifier: Apache-2.0
// A thousand VMs: how long listing them takes, and what each costs in memory.
#include "crosvisor/bench/figure.hpp"
#include "crosvisor/bench/measure.hpp"
#include "crosvisor/bench/own_memory.hpp"
#include "crosvisor/bench/stand_ins.hpp"

#include <caf/typed_event_based_actor.hpp>

#include <algorithm>

namespace crosvisor::bench {

namespace {

constexpr std::size_t wanted_vms = 1000;
/// They run before the memory is measured first, so that threads, code and what grows once is
/// there.
constexpr std::size_t early_vms = 32;
constexpr int requests = 2000;
constexpr double p99_target = 5e-3;
constexpr double bytes_target = 16 * 1024;

using list = std::vector<vm_info>;
using list_actor = caf::typed_actor<caf::replies_to<list_atom>::with<list>>;

class list_figure final : public figure {
public:
  explicit list_figure(summary& to) {
    vms_ = std::min(wanted_vms, stand_ins_.start_some(early_vms));
    if (vms_ < wanted_vms)
      to.note("list: " + std::to_string(vms_) + " VMs, not " + std::to_string(wanted_vms)
              + ": the limit of descriptors is " + std::to_string(descriptor_limit()));
    auto before = measure_own_memory();
    stand_ins_.start(vms_);
    auto after = measure_own_memory();
    resident_ = (after.resident - before.resident) / static_cast<double>(vms_);
    allocated_ = (after.allocated - before.allocated) / static_cast<double>(vms_);
    rival_ = stand_ins_.service().system().spawn(
      [ready = ask(stand_ins_.service().embedded().handle())]() -> list_actor::behavior_type {
        return {[ready](list_atom) { return ready; }};
      });
  }

  ~list_figure() override { caf::anon_send_exit(rival_, caf::exit_reason::user_shutdown); }

  int repetitions() const override { return requests; }

  sample measure() override {
    ours_first_ = !ours_first_;
    if (ours_first_)
      ours_.push_back(time_of([&] { ask(stand_ins_.service().embedded().handle()); }));
    bare_.push_back(time_of([&] { ask(rival_); }));
    if (!ours_first_)
      ours_.push_back(time_of([&] { ask(stand_ins_.service().embedded().handle()); }));
    return {ours_.back(), {{"bare_us", bare_.back() * 1e6}}};
  }

  void conclude(summary& to) const override {
    auto name = "list of " + std::to_string(vms_ + early_vms) + ", ";
    to.add({name + "p50", duration_text(p50(ours_)), "bare actor " + duration_text(p50(bare_)),
            difference_text(p50(ours_) - p50(bare_)), "", false});
    to.add({name + "p99", duration_text(p99(ours_)), "bare actor " + duration_text(p99(bare_)),
            difference_text(p99(ours_) - p99(bare_)), "< " + duration_text(p99_target),
            p99(ours_) < p99_target});
    to.add({"memory for each of " + std::to_string(vms_), kib_text(resident_), "", "",
            "<= " + kib_text(bytes_target), resident_ <= bytes_target});
    to.add({"of it allocated", kib_text(allocated_), "", "", "", false});
  }

private:
  template <class Actor>
  list ask(const Actor& whom) {
    return stand_ins_.service().ask<list>(whom, list_atom::value);
  }

  stand_ins stand_ins_;
  list_actor rival_;
  std::size_t vms_ = 0;
  double resident_ = 0, allocated_ = 0;
  bool ours_first_ = false;
  std::vector<double> ours_, bare_;
};

} // namespace

std::unique_ptr<figure> make_list_figure(summary& to) {
  return std::make_unique<list_figure>(to);
}

} // namespace crosvisor::bench
