// SPDX-License-Identifier: Apache-2.0
// How long a real guest takes to its first line, through the service and without it.
#include "crosvisor/bench/bare_vmm.hpp"
#include "crosvisor/bench/bench_service.hpp"
#include "crosvisor/bench/console.hpp"
#include "crosvisor/bench/figure.hpp"
#include "crosvisor/bench/guest_folder.hpp"
#include "crosvisor/bench/measure.hpp"
#include "crosvisor/io/config/open_vm_files.hpp"

namespace crosvisor::bench {

namespace {

constexpr int pairs = 5;
constexpr auto greeting = "Hello from the payload";

class boot_figure final : public figure {
public:
  boot_figure() : folder_(guest_folder()), config_(load_guest("demo").config), service_("") {
    config_.guest_protocol = false; // Without vsock it greets on its console.
    const auto& host = service_.embedded().host().host;
    auto choice = choose_vmm(config_, host);
    if (const auto* no = std::get_if<refusal>(&choice))
      throw not_here(no->why);
    config_.accel = std::get<vmm_choice>(choice).accel;
    driver_ = io::make_qemu_driver(*host.find(vmm_kind::qemu));
    measure(); // The files are in memory.
    ours_.clear();
    bare_.clear();
  }

  int repetitions() const override { return pairs; }

  sample measure() override {
    ours_first_ = !ours_first_;
    if (ours_first_)
      ours_.push_back(measure_ours());
    bare_.push_back(measure_bare());
    if (!ours_first_)
      ours_.push_back(measure_ours());
    return {ours_.back(), {{"bare_us", bare_.back() * 1e6}}};
  }

  void conclude(summary& to) const override {
    to.add({"boot to the greeting, " + to_string(config_.accel), duration_text(p50(ours_)),
            "QEMU alone " + duration_text(p50(bare_)), difference_text(p50(ours_) - p50(bare_)), "",
            false});
  }

private:
  double measure_ours() {
    auto [vm, console] = service_.create_watched(config_, folder_);
    auto began = now_ns();
    service_.self()->send(vm, start_atom::value);
    auto greeted = wait_for_line(console.get(), greeting);
    service_.kill({vm});
    service_.settle();
    return seconds(greeted - began);
  }

  double measure_bare() {
    auto config = config_;
    auto files = need(io::open_vm_files(config, folder_));
    bare_vmm vmm{*driver_, config, config.accel, std::move(files)};
    vmm.let_guest_run();
    auto began = now_ns();
    vmm.spawn();
    return seconds(wait_for_line(vmm.console(), greeting) - began);
  }

  std::string folder_;
  vm_config config_;
  bench_service service_;
  std::unique_ptr<io::vmm_driver> driver_;
  bool ours_first_ = false;
  std::vector<double> ours_, bare_;
};

} // namespace

std::unique_ptr<figure> make_boot_figure(summary&) {
  return std::make_unique<boot_figure>();
}

} // namespace crosvisor::bench
