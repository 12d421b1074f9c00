// SPDX-License-Identifier: Apache-2.0
// How long a daemon takes to be there again with the VMs of one that was killed.
#include "crosvisor/bench/bench_daemon.hpp"
#include "crosvisor/bench/figure.hpp"
#include "crosvisor/bench/measure.hpp"
#include "crosvisor/io/config/open_vm_files.hpp"

namespace crosvisor::bench {

namespace {

constexpr int vms = 100;
constexpr int rounds = 5;
constexpr double target = 1.0;

class adoption_figure final : public figure {
public:
  adoption_figure() : bare_(CROSVISOR_STAND_IN_QEMU), full_(CROSVISOR_STAND_IN_QEMU) {
    auto link = full_.connect();
    caf::scoped_actor self{link->system()};
    auto kernel = full_.folder().write("kernel", "a stand-in boots nothing\n");
    for (auto i = 0; i < vms; ++i) {
      vm_config config;
      config.kernel = {kernel, 0};
      config.params = "play=up";
      config.vmm = vmm_kind::qemu;
      config.accel = accel_kind::tcg;
      auto files = need(io::open_vm_files(config, "/"));
      auto cid = ask(self, link->door(), create_atom::value, config, need(link->give(*files)));
      ask(self, link->door(), hold_atom::value, cid);
      ask(self, link->door(), start_atom::value, cid);
    }
  }

  int repetitions() const override { return rounds; }

  sample measure() override {
    bare_took_.push_back(bare_.kill_and_restart());
    took_.push_back(full_.kill_and_restart());
    auto link = full_.connect();
    caf::scoped_actor self{link->system()};
    self->request(link->door(), patience, list_atom::value)
      .receive(
        [](const std::vector<vm_info>& all) {
          auto run = std::count_if(all.begin(), all.end(),
                                   [](const vm_info& vm) { return vm.state == vm_state::started; });
          if (run != vms)
            throw std::runtime_error("of " + std::to_string(vms) + " VMs, " + std::to_string(run)
                                     + " were adopted");
        },
        [](const caf::error& why) { throw std::runtime_error(sentence_of(why)); });
    return {took_.back(), {{"without_vms_us", bare_took_.back() * 1e6}}};
  }

  void conclude(summary& to) const override {
    auto extra = p50(took_) - p50(bare_took_);
    to.add({"adoption of " + std::to_string(vms) + " VMs, p50", duration_text(p50(took_)),
            "start without VMs " + duration_text(p50(bare_took_)), difference_text(extra),
            "< " + duration_text(target), p50(took_) < target});
  }

private:
  template <class... Words>
  static vm_cid ask(caf::scoped_actor& self, const door_actor& door, Words... words) {
    vm_cid cid = no_cid;
    self->request(door, patience, words...)
      .receive([&](const vm_info& info) { cid = info.cid; },
               [](const caf::error& why) { throw std::runtime_error(sentence_of(why)); });
    return cid;
  }

  bench_daemon bare_, full_;
  std::vector<double> bare_took_, took_;
};

} // namespace

std::unique_ptr<figure> make_adoption_figure(summary&) {
  return std::make_unique<adoption_figure>();
}

} // namespace crosvisor::bench
