// SPDX-License-Identifier: Apache-2.0
// A scrape by Prometheus where a thousand VMs run: what the door gathers and what is made of that,
// beside Prometheus' own library with as many plain gauges, and beside listing the same VMs.
#include "crosvisor/bench/figure.hpp"
#include "crosvisor/bench/measure.hpp"
#include "crosvisor/bench/own_memory.hpp"
#include "crosvisor/bench/stand_ins.hpp"
#include "crosvisor/io/metrics/metrics_text.hpp"
#include "crosvisor/service/door.hpp"
#include "crosvisor/service/transport/transport.hpp"

#include <caf/send.hpp>

#include <prometheus/gauge.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <unistd.h>

#include <algorithm>

namespace crosvisor::bench {

namespace {

constexpr std::size_t wanted_vms = 1000;
/// They run before it is counted how many descriptors a VM takes.
constexpr std::size_t early_vms = 32;
constexpr int scrapes = 100;

caller this_process() {
  caller self;
  self.kind = caller_kind::process;
  self.uid = ::geteuid();
  return self;
}

class scrape_figure final : public figure {
public:
  explicit scrape_figure(summary& to) {
    vms_ = std::min(wanted_vms, early_vms + stand_ins_.start_some(early_vms));
    if (vms_ < wanted_vms)
      to.note("scrape: " + std::to_string(vms_) + " VMs, not " + std::to_string(wanted_vms)
              + ": the limit of descriptors is " + std::to_string(descriptor_limit()));
    stand_ins_.start(vms_ - early_vms);
    auto& service = stand_ins_.service();
    door_options options;
    options.service = service.embedded().handle();
    options.callers = peers_ = transport::peers::make(service.system(), this_process());
    options.grants = std::make_shared<shared_grants>(permission_grants{});
    door_ = spawn_door(service.system(), std::move(options));
    for (const auto& family : ask())
      samples_ += family.samples.size();
    auto& plain = prometheus::BuildGauge().Name("plain_gauge").Help("A gauge.").Register(registry_);
    for (std::size_t i = 0; i < samples_; ++i)
      plain.Add({{"cid", std::to_string(i)}, {"name", "vm"}, {"process", "vmm"}})
        .Set(static_cast<double>(i) * 4096);
  }

  ~scrape_figure() override { caf::anon_send_exit(door_, caf::exit_reason::user_shutdown); }

  int repetitions() const override { return scrapes; }

  sample measure() override {
    ours_first_ = !ours_first_;
    if (ours_first_)
      scrape();
    bare_.push_back(time_of([&] { prometheus::TextSerializer{}.Serialize(registry_.Collect()); }));
    lists_.push_back(time_of([&] { list(); }));
    if (!ours_first_)
      scrape();
    return {ours_.back(), {{"bare_us", bare_.back() * 1e6}, {"list_us", lists_.back() * 1e6}}};
  }

  void conclude(summary& to) const override {
    auto name = "scrape of " + std::to_string(vms_) + " VMs, ";
    auto bare = std::to_string(samples_) + " plain gauges " + duration_text(p50(bare_));
    to.add({name + "p50", duration_text(p50(ours_)), bare, ratio_text(p50(ours_), p50(bare_)), "",
            false});
    to.add({name + "beside their list", duration_text(p50(ours_)),
            "list " + duration_text(p50(lists_)), ratio_text(p50(ours_), p50(lists_)), "", false});
    to.add({name + "size", kib_text(static_cast<double>(bytes_)), "", "", "", false});
  }

private:
  std::vector<metric_family> ask() {
    return stand_ins_.service().ask<std::vector<metric_family>>(door_, caf::get_atom::value,
                                                                metrics_atom::value);
  }

  void list() {
    auto& service = stand_ins_.service();
    service.ask<std::vector<vm_info>>(service.embedded().handle(), list_atom::value);
  }

  void scrape() {
    ours_.push_back(time_of([&] { bytes_ = io::metrics_text(ask()).size(); }));
  }

  stand_ins stand_ins_;
  std::shared_ptr<transport::peers> peers_;
  door_actor door_;
  prometheus::Registry registry_;
  std::size_t vms_ = 0, samples_ = 0, bytes_ = 0;
  bool ours_first_ = false;
  std::vector<double> ours_, bare_, lists_;
};

} // namespace

std::unique_ptr<figure> make_scrape_figure(summary& to) {
  return std::make_unique<scrape_figure>(to);
}

} // namespace crosvisor::bench
